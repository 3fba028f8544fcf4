"""What a report says. A part that the run did not reach is absent."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.evaluation import EvaluationResult
from reflection_api.stages import Stage


class Transcript(ApiModel):
    """One failure of the base model, and what each model made of it."""

    question: str
    failed: str
    reason: str = Field(description="Why the verifier refused it.")
    base_reflection: str
    base_retry: str
    base_correct: bool
    trained_reflection: str
    trained_retry: str
    trained_correct: bool


class Training(ApiModel):
    """What training logged."""

    steps: int = Field(description="Optimizer steps.")
    window: int = Field(description="Steps in a tenth of them.")
    first: dict[str, float] = Field(description="Mean of every figure over the first tenth of the steps.")
    last: dict[str, float] = Field(description="Mean of every figure over the last tenth of the steps.")
    curve: list[dict[str, float]] = Field(description="Logged figures, at most 200 evenly spaced steps.")


class Cost(ApiModel):
    """What a stage took, as far as its artefacts tell."""

    stage: Stage
    seconds: float | None = Field(
        None, description="Sum over its shards, or over the steps of a training; loading is not counted."
    )
    tokens: int | None = Field(None, description="Tokens that the model wrote.")


class Round(ApiModel):
    """One round."""

    round: int
    failures: dict[str, float] = Field(
        default_factory=dict,
        description="Counts of the dataset: attempts, correct, failures, reason.<reason>.",
    )
    training: Training | None = None
    evaluation: EvaluationResult | None = None
    missed_gates: list[str] = Field(
        default_factory=list, description="A clause for each gate that is missed."
    )
    transcripts: list[Transcript] = Field(
        default_factory=list, description="A seeded sample of the fixed failures."
    )
    costs: list[Cost] = Field(default_factory=list)
    model_uri: str | None = Field(None, description="Folder of the trained model.")


class Report(ApiModel):
    """The whole report."""

    name: str
    namespace: str
    uri: str = Field(description="Folder of the run.")
    model: dict[str, Any] = Field(description="spec.model")
    task: dict[str, Any] = Field(description="spec.task")
    rollout: dict[str, Any] = Field(description="spec.rollout")
    training: dict[str, Any] = Field(description="spec.training")
    evaluation: dict[str, Any] = Field(description="spec.evaluation")
    planned_rounds: int
    rounds: list[Round]
    versions: dict[str, str]

    @property
    def final(self) -> Round | None:
        """The newest round that was evaluated."""
        return next((number for number in reversed(self.rounds) if number.evaluation), None)
