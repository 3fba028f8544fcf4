"""What a report says. A part that the run did not reach is absent."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.evaluation import EvaluationResult
from reflection_api.stages import Stage

from ..verify.audit_file import AuditRecord


class Transcript(ApiModel):
    """One failure of the base model, and what each model made of it. Long texts are cut and say so."""

    question: str
    failed: str
    reason: str = Field(description="Why the verifier refused it.")
    base_reflection: str
    base_retry: str
    base_correct: bool
    base_reason: str = Field(description="The verifier's verdict on the base model's retry.")
    trained_reflection: str
    trained_retry: str
    trained_correct: bool
    trained_reason: str = Field(description="The verifier's verdict on the trained model's retry.")


class Outcomes(ApiModel):
    """All fixed failures by what became of them: right after a reflection of which model."""

    trained_only: int = Field(0, description="Learned: right after the trained model's reflection alone.")
    base_only: int = Field(0, description="Lost: right after the base model's reflection alone.")
    both: int = 0
    neither: int = 0

    @property
    def total(self) -> int:
        """The fixed failures that were counted."""
        return self.trained_only + self.base_only + self.both + self.neither


class Phrase(ApiModel):
    """A reflection that was written more than once on the fixed failures."""

    text: str
    count: int
    right: int = Field(description="How often the retry after it was right.")


class Training(ApiModel):
    """What training logged."""

    steps: int = Field(description="Optimizer steps.")
    window: int = Field(description="Steps in a tenth of them.")
    first: dict[str, float] = Field(description="Mean of every figure over the first tenth of the steps.")
    last: dict[str, float] = Field(description="Mean of every figure over the last tenth of the steps.")
    curve: list[dict[str, float]] = Field(description="Logged figures, at most 200 evenly spaced steps.")
    reflections_per_step: int = Field(
        0, description="Reflections that the figures of a step are the mean of; 0 where nobody knows."
    )
    groups: int = Field(0, description="Groups of reflections on one failure, over all steps.")
    live_groups: int = Field(0, description="Groups that taught something: some retries right, some wrong.")
    all_right_groups: int = 0
    all_wrong_groups: int = 0


class Cost(ApiModel):
    """What a stage took, as far as its artefacts tell."""

    stage: Stage
    seconds: float | None = Field(
        None, description="Sum over its shards, or over the steps of a training; loading is not counted."
    )
    tokens: int | None = Field(None, description="Tokens that the model wrote.")
    gpus: int = Field(0, description="Graphics cards that worked in each of those seconds.")


class Round(ApiModel):
    """One round."""

    round: int
    failures: dict[str, float] = Field(
        default_factory=dict,
        description="Counts of the dataset: attempts, correct, failures, reason.<reason>.",
    )
    audit: AuditRecord | None = Field(None, description="How the verifier stood its audit.")
    training: Training | None = None
    evaluation: EvaluationResult | None = None
    missed_gates: list[str] = Field(
        default_factory=list, description="A clause for each gate that is missed."
    )
    outcomes: Outcomes = Field(default_factory=Outcomes)
    phrases_base: list[Phrase] = Field(
        default_factory=list, description="The base model's most frequent reflections, most frequent first."
    )
    phrases_trained: list[Phrase] = Field(
        default_factory=list, description="The trained model's most frequent reflections."
    )
    transcripts: list[Transcript] = Field(
        default_factory=list, description="A seeded sample of the fixed failures, at most 1,000."
    )
    costs: list[Cost] = Field(default_factory=list)
    model_uri: str | None = Field(None, description="Folder of the trained model.")


class Settings(ApiModel):
    """What the run was told to do."""

    name: str
    namespace: str
    uri: str = Field(description="Folder of the run.")
    model: dict[str, Any] = Field(description="spec.model")
    task: dict[str, Any] = Field(description="spec.task")
    rollout: dict[str, Any] = Field(description="spec.rollout")
    training: dict[str, Any] = Field(description="spec.training")
    evaluation: dict[str, Any] = Field(description="spec.evaluation")
    planned_rounds: int


class Report(Settings):
    """The whole report."""

    rounds: list[Round]
    versions: dict[str, str] = Field(description="What made the artefacts, as their manifests say.")

    @property
    def final(self) -> Round | None:
        """The newest round that was evaluated."""
        return next((number for number in reversed(self.rounds) if number.evaluation), None)
