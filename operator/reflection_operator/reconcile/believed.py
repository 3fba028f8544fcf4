"""What of a status can be true: people edit it. Whatever contradicts the rest of it, or the Jobs, counts as lost.

All of a status is written at once, so that what somebody has changed is alone with what it says. Whoever changes all that
belongs together is believed where no Job is at work: one that is not there may have been deleted, and says nothing.
"""

from __future__ import annotations

from reflection_api.conditions import ConditionType
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus

from .conditions import has_ended, is_true, stage_told
from .cursor import locate, passed
from .observed import Observed
from .restart import record_of
from .verdict import verdict_in_jobs

_DEADLINES = (Reason.DEADLINE_EXCEEDED, Reason.PENDING_DEADLINE_EXCEEDED)


def believed(run: Observed, status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    """The status of a run that has not ended, without what cannot be true of it."""
    current = status.current if _agrees(status) else None
    began = passed(status.start_time, run.now) if status.start_time else None
    status = status.model_copy(update={"current": current, "start_time": began, "completion_time": None})
    at = locate(run, status).cursor
    # A verdict is known when the report is due, and not before.
    verdict = (verdict_in_jobs(run, at.round) or status.verdict) if at.stage is Stage.REPORT else None
    return status.model_copy(update={"verdict": verdict})


def is_over(run: Observed, status: ReflectionTrainingStatus) -> bool:
    """Whether a run has ended: its status says so with all that belongs to an end."""
    verdict, at = status.verdict, status.current
    if verdict is None or not has_ended(status.conditions) or not _agrees(status):
        return False
    if is_true(status.conditions, ConditionType.SUCCEEDED) != verdict.succeeded:
        return False
    if at is None:
        return True
    if verdict.succeeded or verdict.reason == Reason.GATE_FAILED:
        return at.stage is Stage.REPORT
    if verdict.reason in _DEADLINES:
        return True
    if record := record_of(status, at):
        # One that only a newer version knows is believed.
        known = record.reason in list(Reason)
        return not known or verdict.reason in (record.reason, Reason.MAX_RESTARTS_REACHED)
    # Every other end is that of an attempt. From a status that was too large all records may have been cut.
    return not status.attempts and not locate(run, status).live


def _agrees(status: ReflectionTrainingStatus) -> bool:
    """Whether the cursor is at the stage that the conditions beside it tell of, or one of the two is missing."""
    told = stage_told(status.conditions)
    return status.current is None or told in (None, status.current.stage)
