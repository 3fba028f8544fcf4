"""`spec` of a ReflectionTraining: what the user asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..reasons import NEW_RESOURCE
from ..rules import Rule, schema_rules
from .evaluation import Control, EvaluationSpec, GatesSpec, RegressionSpec
from .fields import MAX_INT32, Seconds
from .model import AnyModelSpec, ModelSpec
from .pods import PodSpecOverrides, PodsSpec
from .rollout import EngineName, RolloutSpec, SamplingSpec
from .storage import StorageSpec
from .task import FailuresSpec, PromptsSpec, TaskSpec, TemplatesSpec
from .training import CheckpointSpec, LoraSpec, MethodSpec, Precision, TrainingSpec
from .verifier import AuditSpec, BuiltinVerifierSpec, ContainerVerifierSpec, HttpVerifierSpec, VerifierSpec

IMMUTABLE = f"is immutable: {NEW_RESOURCE} with the changed value"
"""What the API server says of a change that it refuses."""
Manager = Literal["reflection.training/operator", "kueue.x-k8s.io/multikueue"]
OUR_MANAGER: Manager = "reflection.training/operator"
"""`spec.managedBy` of the resources that this operator reconciles (also where it is absent)."""
MULTIKUEUE: Manager = "kueue.x-k8s.io/multikueue"
"""Of those that it leaves alone."""


def _immutable(field: str, path: str | None = None) -> Rule:
    return Rule(
        rule=f"self.{field} == oldSelf.{field}",
        message=IMMUTABLE,
        field_path=f".{path or field}",
    )


def _immutable_optional(field: str) -> Rule:
    return Rule(
        rule=f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        message=IMMUTABLE,
        field_path=f".{field}",
    )


class FailurePolicySpec(ApiModel):
    """What happens when a stage fails."""

    max_restarts: Annotated[int, Field(ge=0, le=100)] = Field(
        3,
        description="Restarts of each stage before the run fails. Evictions and preemptions are not counted.",
    )


class ReflectionTrainingSpec(ApiModel):
    """What to train, on which task, how, and where the results go."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            *(
                _immutable(field)
                for field in ("model", "task", "training", "evaluation", "rounds", "storage")
            ),
            *(
                _immutable(f"rollout.{field}")
                for field in (
                    "engine",
                    "attemptsPerPrompt",
                    "sampling",
                    "gpusPerWorker",
                    "tensorParallelSize",
                )
            ),
            _immutable_optional("managedBy"),
        )
    )

    model: ModelSpec = Field(description="The model that answers, reflects and is trained.")
    task: TaskSpec = Field(description="What the model is asked, and who judges the answer.")
    rollout: RolloutSpec = Field(default_factory=RolloutSpec, description="How base answers are sampled.")
    training: TrainingSpec = Field(default_factory=TrainingSpec, description="Reflection-only GRPO.")
    evaluation: EvaluationSpec = Field(
        default_factory=EvaluationSpec, description="How base and trained model are compared."
    )
    rounds: Annotated[int, Field(ge=1, le=10)] = Field(
        1,
        description="Rounds of rollout, verify, train, evaluate; each collects failures afresh with the last round's model.",
    )
    storage: StorageSpec = Field(description="Where datasets, checkpoints, models and reports are kept.")
    pods: PodsSpec = Field(default_factory=PodsSpec, description="Changes to the pods of the stages.")
    failure_policy: FailurePolicySpec = Field(
        default_factory=FailurePolicySpec, description="What happens when a stage fails."
    )
    suspend: bool = Field(
        False, description="Stop the pods and hold the run; training resumes from its last checkpoint."
    )
    managed_by: Manager | None = Field(
        None,
        description="Who looks after this resource: this operator, as where it is absent, or MultiKueue, to which it is left.",
    )
    active_deadline_seconds: Seconds | None = Field(
        None,
        description="The run fails when it has been active this long. The time begins anew when it is resumed.",
    )
    pending_deadline_seconds: Seconds | None = Field(
        None, description="The run fails when a stage's pods have been pending this long."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=MAX_INT32)] | None = Field(
        None,
        description="The resource is deleted this long after it finished. deletionPolicy says what becomes of its artefacts.",
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain",
        description="What becomes of the run's artefacts in storage when the resource is deleted. Delete: a Job deletes them "
        "first, and the resource goes when that is done.",
    )

    @property
    def is_ours(self) -> bool:
        """Whether this operator reconciles the resource."""
        return self.managed_by in (None, OUR_MANAGER)


__all__ = [
    "IMMUTABLE",
    "OUR_MANAGER",
    "AnyModelSpec",
    "AuditSpec",
    "BuiltinVerifierSpec",
    "CheckpointSpec",
    "ContainerVerifierSpec",
    "Control",
    "EngineName",
    "EvaluationSpec",
    "FailurePolicySpec",
    "FailuresSpec",
    "GatesSpec",
    "HttpVerifierSpec",
    "LoraSpec",
    "MethodSpec",
    "ModelSpec",
    "PodSpecOverrides",
    "PodsSpec",
    "Precision",
    "PromptsSpec",
    "ReflectionTrainingSpec",
    "RegressionSpec",
    "RolloutSpec",
    "SamplingSpec",
    "StorageSpec",
    "TaskSpec",
    "TemplatesSpec",
    "TrainingSpec",
    "VerifierSpec",
]
