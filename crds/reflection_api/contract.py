"""The stage contract: what a stage is told, and what it says at its end.

A stage runs `python -m reflection_trainer <stage> --config FILE` with one `StageConfig`. It reads and writes storage only, and
ends with a `StageResult` in its termination message. Paths that differ between pod and laptop come from variables.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from .base import ApiModel
from .layout import run_uri
from .spec import EvaluationSpec, ModelSpec, Precision, RolloutSpec, StorageSpec, TaskSpec, TrainingSpec
from .spec.task import TemplatesSpec
from .spec.training import Generation
from .stages import Stage
from .status import AuditStatus

CONTRACT_VERSION: Final = "v1alpha1"
MAX_TERMINATION_MESSAGE = 4096
"""Bytes that a kubelet keeps of a termination message."""

CONFIG_VARIABLE = "REFLECT_CONFIG"
"""Path of the StageConfig; `--config` goes before it."""
TERMINATION_LOG_VARIABLE = "REFLECT_TERMINATION_LOG"
"""Path that the StageResult is written to. Default: /dev/termination-log."""
PROGRESS_VARIABLE = "REFLECT_PROGRESS"
"""Path that the newest ProgressReport is written to. Absent: progress goes to the log only."""
PROGRESS_URL_VARIABLE = "REFLECT_PROGRESS_URL"
"""Address that the newest ProgressReport is posted to as JSON. Absent: nobody asks for it."""
PROGRESS_TOKEN_FILE_VARIABLE = "REFLECT_PROGRESS_TOKEN_FILE"
"""File with the bearer token for that address, which says who this pod is. It is replaced while the pod runs."""
PROGRESS_CA_VARIABLE = "REFLECT_PROGRESS_CA"
"""File with the certificate of the authority that signs the server's."""
PROGRESS_AUDIENCE = "reflect-operator"
"""Whom the token is for: it opens nothing else."""
MAX_PROGRESS_REPORT = 8192
"""Bytes of a ProgressReport that are read."""
WORKDIR_VARIABLE = "REFLECT_WORKDIR"
"""Scratch folder, within which each pod works in one of its own. Default: a temporary folder."""
S3_CREDENTIALS_VARIABLE = "REFLECT_S3_CREDENTIALS"
"""Folder with a file per key of spec.storage.credentialsSecret. They are read again when the storage refuses the credentials:
a Secret may be replaced while a pod runs, and its environment stays what it was. Absent: the usual chain of AWS."""
STORAGE_PATIENCE_VARIABLE = "REFLECT_STORAGE_PATIENCE"
"""Seconds that a request to the storage is tried again before the stage gives up. Default: 180."""
VERIFIER_URL_VARIABLE = "REFLECT_VERIFIER_URL"
"""Address of the service that runs beside the stage (spec.task.verifier.container)."""
VERIFIER_TOKEN_VARIABLE = "REFLECT_VERIFIER_TOKEN"
"""The bearer token of spec.task.verifier.http.tokenSecret."""
VERIFIER_TOKEN_FILE_VARIABLE = "REFLECT_VERIFIER_TOKEN_FILE"
"""File with the same. It goes first, since a Secret may be replaced while a pod runs. Absent: the variable alone."""
VERIFIER_CA_VARIABLE = "REFLECT_VERIFIER_CA"
"""File with the certificates of spec.task.verifier.http.caSecret."""
VERIFIER_PATIENCE_VARIABLE = "REFLECT_VERIFIER_PATIENCE"
"""Seconds that a batch is sent to an own verifier again before the stage gives up. Default: 180."""
SHARD_VARIABLE = "JOB_COMPLETION_INDEX"
"""Index of this pod within its Indexed Job."""
MASTER_ADDRESS_VARIABLE = "MASTER_ADDR"
"""Host of node 0, in a training of several nodes; it may take a while to resolve. The number of nodes is the
StageConfig's, the rank of this one is its index within the Job."""
MASTER_PORT_VARIABLE = "MASTER_PORT"
"""Port of the rendezvous on that host."""
CLAIM_MOUNTS = "/mnt/pvc"
"""Where the claim of a `pvc://claim/path` URI is mounted, read-only: /mnt/pvc/<claim>."""


class RunRef(ApiModel):
    """Which run a stage belongs to."""

    namespace: str
    name: str
    uid: str


class TemplatesSettings(TemplatesSpec):
    """Templates with the verifier's defaults filled in; `system` stays absent where there is none."""

    reflection: str
    retry: str


class TaskSettings(TaskSpec):
    """The task with its defaults filled in."""

    templates: TemplatesSettings


class TrainingSettings(TrainingSpec):
    """Training with the defaults filled in that depend on other fields."""

    processes_per_node: int
    micro_batch_size: int
    precision: Precision
    generation: Generation

    @property
    def world_size(self) -> int:
        """Processes of the whole training."""
        return self.nodes * self.processes_per_node

    @property
    def reflections_per_process(self) -> int:
        """Reflections that one process samples for one optimizer step; a group of them may span processes."""
        return self.failures_per_step * self.method.num_generations // self.world_size

    @property
    def rows_per_process(self) -> int:
        """Completions that one process trains in one optimizer step; reflections, and retries where they get credit too."""
        scopes = 2 if self.method.credit_scope == "reflectionAndRetry" else 1
        return self.reflections_per_process * scopes


class StageConfig(ApiModel):
    """Everything a stage is told: one JSON file, the same in a pod and on a laptop."""

    version: Literal["v1alpha1"] = CONTRACT_VERSION
    stage: Stage
    run: RunRef
    round: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    attempt: Annotated[int, Field(ge=1)]
    model: ModelSpec = Field(description="The base model of the run: what evaluation compares with.")
    policy: ModelSpec = Field(
        description="The model that this round starts from: the base model, later what the round before trained."
    )
    task: TaskSettings
    rollout: RolloutSpec
    training: TrainingSettings
    evaluation: EvaluationSpec
    storage: StorageSpec

    @property
    def run_uri(self) -> str:
        """The run's folder in storage."""
        return run_uri(self.storage.uri, self.run.namespace, self.run.name, self.run.uid)


class ArtifactRef(ApiModel):
    """An artefact that a stage made."""

    uri: Annotated[str, Field(max_length=1024)]
    sha256: Annotated[str, Field(max_length=64)] | None = None
    rows: int | None = None
    size: Annotated[int | None, Field(alias="bytes")] = None


class StageResult(ApiModel):
    """What a stage says at its end, in at most 4 KiB."""

    stage: Stage
    outcome: Literal["Succeeded", "Failed"]
    reason: Annotated[str, Field(max_length=128)] = Field(
        description="Of the closed vocabulary in reasons.py."
    )
    message: Annotated[str, Field(max_length=1024)] = ""
    note: Annotated[str, Field(max_length=1024)] = Field(
        "", description="What whoever made the resource should know although nothing failed."
    )
    metrics: Annotated[dict[str, float], Field(max_length=32)] = Field(default_factory=dict)
    audit: AuditStatus | None = Field(None, description="Of the verifier, where the stage audits it.")
    artifacts: Annotated[list[ArtifactRef], Field(max_length=8)] = Field(default_factory=list)


class ProgressReport(ApiModel):
    """How far a stage's pod is; best effort, the newest one wins."""

    stage: Stage
    index: Annotated[int, Field(ge=0)] = Field(0, description="Index of the pod within its Job.")
    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    unit: Annotated[str, Field(max_length=32)] = Field(description="What is counted: answers, items, steps.")
    remaining_seconds: float | None = None
    message: Annotated[str, Field(max_length=200)] = Field("", description="What is being done, for people.")
    metrics: Annotated[dict[str, float], Field(max_length=32)] = Field(default_factory=dict)
    checkpoint_step: int | None = Field(None, description="Step of the newest complete checkpoint.")
    updated_at: Annotated[float, Field(ge=0)] = Field(description="Seconds since the epoch.")
