"""Which Job is to be created: that of the cursor's attempt, as soon as nothing earlier is alive."""

from __future__ import annotations

from datetime import datetime, timedelta

from reflection_api.status import ReflectionTrainingStatus

from .cursor import Here
from .decision import Attempt
from .observed import Observed
from .restart import time_to_retry


def due(run: Observed, here: Here) -> Attempt | None:
    """The attempt whose Job is to be created now.

    A Job that somebody deleted is created again under its name. Two attempts never work side by side: they would write
    the same checkpoints, so the next one waits for the last pod of those before.
    """
    if run.resource.spec.suspend or here.job is not None or here.others_alive:
        return None
    if time_to_retry(here.cursor, run.now) > timedelta(0):
        return None
    cursor = here.cursor
    return Attempt(cursor.round, cursor.stage, cursor.attempt, cursor.restarts)


def started(status: ReflectionTrainingStatus, here: Here, now: datetime) -> ReflectionTrainingStatus:
    """The status of a run whose attempt is being created."""
    if here.cursor.started_at is not None:
        return status
    return status.model_copy(update={"current": here.cursor.model_copy(update={"started_at": now})})
