"""`status` of a ReflectionTraining: bounded, under 10 kB; data of single prompts stay in storage."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import MAX_INT53, ApiModel
from .conditions import Condition
from .spec.fields import MAX_INT32
from .stages import Stage

_Count = Annotated[int, Field(ge=0, le=MAX_INT53)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Change = Annotated[float, Field(ge=-1, le=1)]
_Bound = Annotated[float, Field(ge=-1000, le=1000)]
"""End of an interval: with few questions it may lie beyond what the figure itself can reach."""
_MAX_ATTEMPTS = 1_000_000
_Text = Annotated[str, Field(max_length=2048)]


class Phase(StrEnum):
    """The word in the STATUS column: derived from the rest of the status, never read back."""

    PENDING = "Pending"
    QUEUED = "Queued"
    ROLLOUT = "Rollout"
    VERIFYING = "Verifying"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DELETING = "Deleting"


class Cursor(ApiModel):
    """Where the run is. All stages before it are complete: this and the Jobs are all that `decide` remembers."""

    round: Annotated[int, Field(ge=1, le=10)] = Field(description="Round, from 1.")
    stage: Stage = Field(description="Stage of the round.")
    attempt: Annotated[int, Field(ge=1, le=_MAX_ATTEMPTS)] = Field(
        description="Attempt at the stage, from 1; part of the Job's name."
    )
    restarts: _Count = Field(
        0, description="Attempts at this stage that failed and count towards maxRestarts."
    )
    started_at: datetime | None = Field(None, description="When the first attempt at this stage was created.")
    retry_at: datetime | None = Field(
        None, description="When the attempt may be created: the back-off after a failure."
    )


class AttemptRecord(ApiModel):
    """One attempt that did not succeed."""

    round: Annotated[int, Field(ge=1, le=10)] = Field(description="Round, from 1.")
    stage: Stage = Field(description="Stage of the round.")
    attempt: Annotated[int, Field(ge=1, le=_MAX_ATTEMPTS)] = Field(
        description="Attempt at the stage, from 1."
    )
    reason: Annotated[str, Field(max_length=128)] = Field(
        description="Why it ended, of the closed vocabulary."
    )
    message: Annotated[str, Field(max_length=512)] = Field(
        "", description="What happened, with the last log line."
    )
    exit_code: Annotated[int, Field(ge=-MAX_INT32, le=MAX_INT32)] | None = Field(
        None, description="Exit code of the process that failed first."
    )
    pod: Annotated[str, Field(max_length=253)] | None = Field(None, description="The pod that failed first.")
    node: Annotated[str, Field(max_length=253)] | None = Field(None, description="The node it ran on.")
    counted: bool = Field(True, description="Whether it counts towards maxRestarts; disruptions do not.")
    finished_at: datetime = Field(description="When it ended.")


class ProgressStatus(ApiModel):
    """How far the current stage is."""

    step: _Count = Field(description="Units done: training steps, or items of the other stages.")
    total_steps: _Count = Field(description="Units in all.")
    percentage: Annotated[int, Field(ge=0, le=100)] = Field(description="Share done of the current stage.")
    estimated_remaining_seconds: _Count | None = Field(
        None, description="Seconds that the current stage still takes."
    )
    last_updated_time: datetime = Field(description="When a pod last reported.")


class DatasetStatus(ApiModel):
    """The newest dataset of failures."""

    uri: _Text = Field(description="Folder of the dataset.")
    failures: _Count = Field(description="Rows: answers that the verifier judged wrong.")
    attempts: _Count = Field(description="Answers that were judged.")
    sha256: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="SHA-256 of the dataset's manifest."
    )


class AuditStatus(ApiModel):
    """How the verifier stood its audit."""

    sample: _Count = Field(description="Answers that were judged twice.")
    flaky: _Count = Field(description="Of these, right once and wrong once.")
    gold: _Count = Field(description="Answers that the prompts say are right.")
    gold_refused: _Count = Field(description="Of these, judged wrong.")
    canaries: _Count = Field(description="Answers that are wrong whatever the question.")
    canaries_accepted: _Count = Field(description="Of these, judged right.")


class VerifierStatus(ApiModel):
    """What is known of the verifier."""

    audit: AuditStatus = Field(description="How it stood its audit.")


class CheckpointStatus(ApiModel):
    """The newest complete checkpoint."""

    uri: _Text = Field(description="Folder of the checkpoint.")
    step: _Count = Field(description="Optimizer steps done.")
    saved_at: datetime = Field(description="When its manifest was written.")


class Comparison(ApiModel):
    """One figure of base and trained model, as in evaluate/result.json. Fractions."""

    base: _Share = Field(description="The base model's.")
    trained: _Share = Field(description="The trained model's.")
    change: _Change = Field(description="Trained minus base.")
    interval: Annotated[list[_Bound], Field(min_length=2, max_length=2)] = Field(
        description="95% interval of the change, clustered by question."
    )
    questions: _Count = Field(description="Distinct questions.")
    samples: _Count = Field(description="Judged answers of each model.")


class EvaluationStatus(ApiModel):
    """Headline figures of the newest evaluation."""

    uri: _Text = Field(description="evaluate/result.json.")
    first_try: Comparison | None = Field(None, description="Right at once.")
    second_try: Comparison | None = Field(
        None, description="Right at once or after one reflection (cumulative)."
    )
    retry_success: Comparison | None = Field(None, description="Right after a reflection, on fixed failures.")


class Verdict(ApiModel):
    """How the run ends, known before its report is written."""

    succeeded: bool = Field(description="Status that the Succeeded condition will get.")
    reason: Annotated[str, Field(max_length=128)] = Field(description="Its reason.")
    message: _Text = Field(description="Its message.")


class ReflectionTrainingStatus(ApiModel):
    """What the operator has observed."""

    observed_generation: Annotated[int, Field(ge=-1, le=MAX_INT53)] = Field(
        -1,
        description="Generation of the spec that this status describes; -1 before the operator has seen it.",
    )
    phase: Phase | None = Field(None, description="One word for people; conditions are for programs.")
    conditions: Annotated[list[Condition], Field(max_length=16)] = Field(
        default_factory=list,
        description="Conditions by type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    current: Cursor | None = Field(None, description="Round, stage and attempt that the run is at.")
    start_time: datetime | None = Field(
        None, description="When the run became active, anew after each resume."
    )
    completion_time: datetime | None = Field(None, description="When the run ended.")
    restarts: _Count = Field(0, description="Restarts of all stages so far.")
    restarts_count_towards_max: _Count = Field(
        0, description="Restarts of the current stage that count towards maxRestarts."
    )
    attempts: Annotated[list[AttemptRecord], Field(max_length=5)] = Field(
        default_factory=list, description="The last five attempts that did not succeed, newest last."
    )
    progress: ProgressStatus | None = Field(
        None, description="How far the current stage is; absent before one of its pods has reported."
    )
    metrics: Annotated[dict[str, float], Field(max_length=16)] = Field(
        default_factory=dict,
        description="Headline figures of the newest stage, for example reward and deadGroupShare.",
    )
    notes: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=5)] = Field(
        default_factory=dict,
        description="By stage, what to know of its newest results although nothing failed, "
        "for example that the data have fewer rows than the limit.",
    )
    dataset: DatasetStatus | None = Field(None, description="The newest dataset of failures.")
    verifier: VerifierStatus | None = Field(None, description="What is known of the verifier.")
    checkpoint: CheckpointStatus | None = Field(None, description="The newest complete checkpoint.")
    evaluation: EvaluationStatus | None = Field(
        None, description="Headline figures of the newest evaluation."
    )
    verdict: Verdict | None = Field(None, description="How the run ends, known before its report is written.")
    report_uri: _Text | None = Field(None, description="The report's folder.")
