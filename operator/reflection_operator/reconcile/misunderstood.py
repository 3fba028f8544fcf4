"""A resource that this operator does not understand, although the API server stored it: its CRD may be of another version."""

from __future__ import annotations

from datetime import datetime

from reflection_api.conditions import ConditionType
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.resource import Metadata
from reflection_api.status import ReflectionTrainingStatus

from .conditions import Wanted, has_ended, replaced
from .text import one_line, sentence

_MAX_PROBLEM = 900


def misunderstood(
    metadata: Metadata, status: ReflectionTrainingStatus | None, problem: str, now: datetime
) -> ReflectionTrainingStatus:
    """The status that says so. Nothing else changes: an operator that understands the resource carries on from it."""
    status = status or ReflectionTrainingStatus()
    if has_ended(status.conditions):
        return status
    message = sentence(one_line(problem, _MAX_PROBLEM), MEANINGS[Reason.INVALID_SPEC].remedy)
    conditions = replaced(
        status.conditions,
        metadata.generation,
        now,
        Wanted(ConditionType.READY, "False", Reason.INVALID_SPEC, message),
        Wanted(ConditionType.STALLED, "True", Reason.INVALID_SPEC, message),
    )
    return status.model_copy(update={"conditions": conditions, "observed_generation": metadata.generation})
