"""A resource that this operator does not understand, although the API server stored it: its CRD may be of another version."""

from __future__ import annotations

from datetime import datetime

from reflection_api.conditions import Condition, ConditionType
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.resource import Metadata
from reflection_api.status import ReflectionTrainingStatus

from .conditions import condition, has_ended
from .text import one_line, sentence

_MAX_PROBLEM = 900
_REPLACED = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)


def misunderstood(
    metadata: Metadata, status: ReflectionTrainingStatus | None, problem: str, now: datetime
) -> ReflectionTrainingStatus:
    """The status that says so. Nothing else changes: an operator that understands the resource carries on from it."""
    status = status or ReflectionTrainingStatus()
    if has_ended(status.conditions):
        return status
    message = sentence(one_line(problem, _MAX_PROBLEM), MEANINGS[Reason.INVALID_SPEC].remedy)

    def told(kind: ConditionType, value: bool) -> Condition:
        old = condition(status.conditions, kind)
        truth = "True" if value else "False"
        return Condition(
            type=kind,
            status=truth,
            reason=Reason.INVALID_SPEC,
            message=message,
            last_transition_time=old.last_transition_time if old and old.status == truth else now,
            observed_generation=metadata.generation,
        )

    others = [each for each in status.conditions if each.type not in _REPLACED]
    conditions = [told(ConditionType.READY, value=False), told(ConditionType.STALLED, value=True), *others]
    return status.model_copy(update={"conditions": conditions, "observed_generation": metadata.generation})
