"""Conditions of a ReflectionTraining, in the shape of metav1.Condition."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from .base import MAX_INT53, ApiModel


class ConditionType(StrEnum):
    """Every condition type that we write.

    Reconciling and Stalled are present only when True, and never both: kstatus takes whichever comes first.
    """

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    QUEUED = "Queued"
    SUCCEEDED = "Succeeded"
    ROLLOUTS_COMPLETE = "RolloutsComplete"
    FAILURES_VERIFIED = "FailuresVerified"
    TRAINING_COMPLETE = "TrainingComplete"
    EVALUATION_COMPLETE = "EvaluationComplete"
    CHECKPOINT_AVAILABLE = "CheckpointAvailable"


class Condition(ApiModel):
    """One observation about the resource."""

    type: Annotated[str, Field(min_length=1, max_length=316)] = Field(
        description="What is observed, in CamelCase."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="One word of a closed vocabulary: why."
    )
    message: Annotated[str, Field(max_length=2048)] = Field(
        description="What happened, to what, and what can be done, in a sentence."
    )
    last_transition_time: datetime = Field(description="When status last changed.")
    observed_generation: Annotated[int, Field(ge=0, le=MAX_INT53)] = Field(
        description="Generation of the spec this was observed for."
    )
