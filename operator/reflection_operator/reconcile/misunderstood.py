"""A resource that this operator does not understand, although the API server stored it: its CRD may be of another version."""

from __future__ import annotations

from datetime import datetime

from reflection_api.conditions import ConditionType
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.resource import Metadata
from reflection_api.stages import Stage
from reflection_api.status import Phase, ReflectionTrainingStatus

from .conditions import Wanted, completed, has_ended, replaced
from .cursor import first_attempt
from .deletion import FINALIZER, is_held
from .size import fitting
from .text import one_line, sentence

_WAY_OUT = (
    "it is being deleted, and nobody knows which artefacts are to go with it: correct the field, or take the finalizer "
    f"{FINALIZER} away to keep them"
)
_MAX_PROBLEM = 900
_MAX_CONDITIONS = 16


def misunderstood(
    metadata: Metadata, status: ReflectionTrainingStatus | None, problem: str, now: datetime
) -> ReflectionTrainingStatus:
    """The status that says so, with all conditions. What is there already stays, to be gone on from."""
    status = status or ReflectionTrainingStatus()
    held = is_held(metadata)
    if has_ended(status.conditions) and not held:
        return status
    remedy = _WAY_OUT if held else MEANINGS[Reason.INVALID_SPEC].remedy
    message = sentence(one_line(problem, _MAX_PROBLEM), remedy)
    wanted = (
        Wanted(ConditionType.READY, "False", Reason.INVALID_SPEC, message),
        Wanted(ConditionType.STALLED, "True", Reason.INVALID_SPEC, message),
    )
    # The missing stages' as the place in the status has them: what contradicts each other would count as edited, and be lost.
    cursor = status.current or first_attempt(1, Stage.ROLLOUT)
    listed = completed(status, cursor, metadata.generation, now)
    conditions = replaced(listed, metadata.generation, now, *wanted)
    # Those of a newer operator stay as far as the API server takes them.
    conditions.sort(key=lambda each: each.type not in list(ConditionType))
    return fitting(
        status.model_copy(
            update={
                "conditions": conditions[:_MAX_CONDITIONS],
                "phase": status.phase or Phase.PENDING,
                "observed_generation": metadata.generation,
            }
        )
    )
