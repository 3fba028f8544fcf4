"""The word in the STATUS column: derived from the conditions and the stage, never read back."""

from __future__ import annotations

from reflection_api.conditions import ConditionType
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import Phase, ReflectionTrainingStatus

from .conditions import condition, is_true

_BY_STAGE = {
    Stage.ROLLOUT: Phase.ROLLOUT,
    Stage.VERIFY: Phase.VERIFYING,
    Stage.TRAIN: Phase.TRAINING,
    Stage.EVALUATE: Phase.EVALUATING,
    Stage.REPORT: Phase.EVALUATING,
}


def phase(status: ReflectionTrainingStatus) -> Phase:
    """The phase of a status with conditions."""
    succeeded = condition(status.conditions, ConditionType.SUCCEEDED)
    if succeeded and succeeded.status != "Unknown":
        return Phase.SUCCEEDED if succeeded.status == "True" else Phase.FAILED
    if is_true(status.conditions, ConditionType.SUSPENDED):
        return Phase.SUSPENDED
    if is_true(status.conditions, ConditionType.QUEUED):
        return Phase.QUEUED
    ready = condition(status.conditions, ConditionType.READY)
    if ready is None or status.current is None or ready.reason == Reason.PENDING:
        return Phase.PENDING
    hindered = ready.status == "False" and ready.reason != Reason.SUSPENDED
    return Phase.PENDING if hindered else _BY_STAGE[status.current.stage]
