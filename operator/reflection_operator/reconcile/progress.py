"""How far the current stage is, from what its pods report: best effort, and written seldom enough for an API server."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from reflection_api.base import MAX_INT53
from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from reflection_api.status import CheckpointStatus, Cursor, ProgressStatus, ReflectionTrainingStatus

from .observed import CLOCKS_DIFFER, Observed
from .record import uri_of
from .results import headline, sound

_AT_MOST_EVERY = timedelta(seconds=5)
_MAX_SECONDS = 10 * 365 * 86_400


def reported(run: Observed, status: ReflectionTrainingStatus, at: Cursor) -> ReflectionTrainingStatus:
    """The status with the newest report in it, where that is of the current stage and says something new."""
    report = run.progress
    if report is None or report.stage is not at.stage:
        return status
    time = _time(report.updated_at)
    if time is None or time > run.now + CLOCKS_DIFFER:
        # It would shut out all that follow.
        return status
    if at.started_at is None or time < at.started_at:
        # Of the same stage in the round before: pods of this one have not begun to report.
        return status
    update: dict[str, Any] = {}
    if checkpoint := _checkpoint(run, status, at, report, time):
        update["checkpoint"] = checkpoint
    progress = _progress(report, time)
    if _worth_writing(status.progress, progress):
        update["progress"] = progress
        if figures := headline(sound(report.metrics)):
            update["metrics"] = figures
    return status.model_copy(update=update)


def _progress(report: ProgressReport, time: datetime) -> ProgressStatus:
    total = min(report.total, MAX_INT53)
    done = min(report.done, total)
    seconds = report.remaining_seconds
    known = seconds is not None and 0 <= seconds <= _MAX_SECONDS
    return ProgressStatus(
        step=done,
        total_steps=total,
        percentage=100 * done // total if total else 0,
        estimated_remaining_seconds=math.ceil(seconds) if known and seconds is not None else None,
        last_updated_time=time,
    )


def _worth_writing(old: ProgressStatus | None, new: ProgressStatus) -> bool:
    if old is None:
        return True
    if new.last_updated_time <= old.last_updated_time:
        return False
    rarely = new.last_updated_time - old.last_updated_time >= _AT_MOST_EVERY
    return rarely or (new.percentage, new.total_steps) != (old.percentage, old.total_steps)


def _checkpoint(
    run: Observed, status: ReflectionTrainingStatus, at: Cursor, report: ProgressReport, time: datetime
) -> CheckpointStatus | None:
    step = report.checkpoint_step
    if at.stage is not Stage.TRAIN or step is None or not 0 <= step <= run.resource.spec.training.max_steps:
        return None
    uri = uri_of(run.resource, at, f"checkpoint-{step}")
    old = status.checkpoint
    same_round = old is not None and old.uri.rpartition("/")[0] == uri.rpartition("/")[0]
    if old and same_round and step <= old.step:
        return None
    return CheckpointStatus(uri=uri, step=step, saved_at=time)


def _time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
