"""When to look again even if nothing is seen to change."""

from __future__ import annotations

from datetime import timedelta

from reflection_api.status import ReflectionTrainingStatus

from . import deadline, restart, situation, suspend
from .cursor import Here
from .observed import Observed
from .step import Step

RESYNC = timedelta(minutes=5)
"""A run is looked at this often: a watch may lose an event, and deletions while the operator is away are never told."""
SETTLING = timedelta(seconds=30)
"""The same while Jobs or pods are to appear or to go."""
_SOON = timedelta(seconds=1)


def look_again(run: Observed, step: Step, status: ReflectionTrainingStatus, here: Here) -> timedelta:
    """When to look at a run again that goes on."""
    changing = here.job is None or here.job.deleting or here.others_alive
    settling = changing and not suspend.is_suspended(run, here)
    times = (
        step.wait,
        restart.time_to_retry(here.cursor, run.now) or None,
        deadline.time_to_deadline(run, status, here),
        situation.time_to_see_pods(run, here) or None,
        SETTLING if settling else RESYNC,
    )
    return earliest(*times) or RESYNC


def earliest(*times: timedelta | None) -> timedelta | None:
    """The shortest of the times that there are, and never so short that a run is looked at without pause."""
    shortest = min((time for time in times if time is not None), default=None)
    return None if shortest is None else max(shortest, _SOON)
