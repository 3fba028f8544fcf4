"""The decision: where the run is, what its attempt came to, and what follows."""

from __future__ import annotations

from typing import Any

from reflection_api.status import ReflectionTrainingStatus, Verdict

from . import conditions, start, suspend, ttl
from .believed import believed, is_over
from .cursor import Here, locate
from .deadline import exceeded
from .decision import Decision
from .deletion import is_held, while_held
from .ending import after_the_end, all_alive, superseded
from .events import events
from .observed import Observed
from .phase import phase
from .progress import reported
from .schedule import SETTLING, earliest, look_again
from .settle import settle
from .situation import situation
from .size import fitting
from .step import Step


def decide(run: Observed) -> Decision:
    """Decide what to do next about a run. The same observation always gives the same decision."""
    if not run.resource.spec.is_ours:
        return Decision(run.resource.status)
    if run.resource.metadata.deletion_timestamp is not None:
        # Owner references delete the children, whether we are there or not.
        return while_held(run) if is_held(run.resource.metadata) else Decision(run.resource.status)
    old = run.resource.status or ReflectionTrainingStatus()
    if is_over(run, old):
        return after_the_end(run, old)

    known = believed(run, old)
    here = locate(run, known)
    step = settle(run, reported(run, _changed(known, current=here.cursor), here.cursor), here)
    here = locate(run, step.status)
    verdict = step.ending or exceeded(run, step.status, here)
    if verdict:
        return _end(run, old, step.status, here, verdict)
    return _go_on(run, old, step, here)


def _go_on(run: Observed, old: ReflectionTrainingStatus, step: Step, here: Here) -> Decision:
    status = suspend.stepped_aside(run, step.status, here)
    here = locate(run, status)
    attempt = start.due(run, here)
    if attempt:
        status = start.started(status, here, run.now)
    status = suspend.timed(run, status, here)
    listed = conditions.going_on(run, status, here.cursor, situation(run, here))
    status = _assembled(run, _changed(status, conditions=listed))
    return Decision(
        status,
        create=(attempt,) if attempt else (),
        delete=superseded(here),
        events=events(run.resource, old, status),
        look_again=look_again(run, step, status, here),
    )


def _end(
    run: Observed,
    old: ReflectionTrainingStatus,
    status: ReflectionTrainingStatus,
    here: Here,
    verdict: Verdict,
) -> Decision:
    status = _changed(status, verdict=verdict, completion_time=run.now)
    status = _assembled(
        run, _changed(status, conditions=conditions.at_the_end(run, status, here.cursor, verdict))
    )
    alive = all_alive(here)
    left = ttl.time_left(run.resource.spec, status, run.now)
    return Decision(
        status,
        delete=alive,
        events=events(run.resource, old, status),
        look_again=earliest(left, SETTLING if alive else None),
    )


def _assembled(run: Observed, status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    """The status with what follows from the rest of it, and small enough."""
    return fitting(
        _changed(
            status,
            observed_generation=run.resource.metadata.generation,
            restarts_count_towards_max=status.current.restarts if status.current else 0,
            phase=phase(status),
        )
    )


def _changed(status: ReflectionTrainingStatus, **update: Any) -> ReflectionTrainingStatus:
    return status.model_copy(update=update)
