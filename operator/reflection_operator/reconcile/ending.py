"""After the end: nothing changes any more, what is still alive is stopped, and the resource goes when its time is over."""

from __future__ import annotations

from datetime import timedelta

from reflection_api.status import ReflectionTrainingStatus

from . import conditions, ttl
from .cursor import Here, locate, passed
from .decision import Decision
from .observed import Observed
from .schedule import SETTLING, earliest


def after_the_end(run: Observed, old: ReflectionTrainingStatus) -> Decision:
    """The decision about a run that has ended."""
    generation = run.resource.metadata.generation
    listed = conditions.observed_again(old.conditions, generation)
    # Somebody may have taken it away: without it the resource would never be deleted.
    ended = passed(old.completion_time or run.now, run.now)
    status = old.model_copy(
        update={"observed_generation": generation, "conditions": listed, "completion_time": ended}
    )
    left = ttl.time_left(run.resource.spec, status, run.now)
    over = left is not None and left <= timedelta(0)
    alive = all_alive(locate(run, status))
    return Decision(
        status,
        delete=alive,
        look_again=earliest(None if over else left, SETTLING if alive else None),
        delete_resource=over,
    )


def superseded(here: Here) -> tuple[str, ...]:
    """The Jobs of earlier attempts that are to be stopped."""
    return tuple(job.name for job in here.superseded if not job.deleting)


def all_alive(here: Here) -> tuple[str, ...]:
    """All Jobs that are to be stopped when a run ends."""
    own = (here.job.name,) if here.job and here.live and not here.job.deleting else ()
    return (*superseded(here), *own)
