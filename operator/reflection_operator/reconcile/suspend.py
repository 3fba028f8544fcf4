"""Suspending: the Job of the attempt is deleted, and the run rests once its pods are gone.

Training pods save a checkpoint when they are told to stop, so little is lost. The attempt gives way to the next one, which
is not counted as a restart and is created when the run is resumed.
"""

from __future__ import annotations

from typing import Any

from reflection_api.status import ReflectionTrainingStatus

from .cursor import Here, next_attempt
from .observed import Observed


def stepped_aside(run: Observed, status: ReflectionTrainingStatus, here: Here) -> ReflectionTrainingStatus:
    """The status with the attempt of a run to be suspended given up: its Job is then one of an earlier attempt."""
    if not (run.resource.spec.suspend and here.live):
        return status
    cursor = next_attempt(here.cursor, restarts=here.cursor.restarts, retry_at=None)
    return status.model_copy(update={"current": cursor})


def is_suspended(run: Observed, here: Here) -> bool:
    """Whether a run rests as it was told to: while a pod still stops, it does not."""
    return run.resource.spec.suspend and here.still


def timed(run: Observed, status: ReflectionTrainingStatus, here: Here) -> ReflectionTrainingStatus:
    """The status with the start of its active time, which begins anew after each suspension."""
    update: dict[str, Any] = {}
    if is_suspended(run, here):
        update["start_time"] = None
    elif not run.resource.spec.suspend and status.start_time is None:
        update["start_time"] = run.now
    return status.model_copy(update=update)
