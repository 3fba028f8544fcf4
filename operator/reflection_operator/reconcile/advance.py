"""Where a run goes when the Job of its attempt is complete: to the next stage, the next round, or its end.

The next stage may start only now, so nothing is ever read before it is complete.
"""

from __future__ import annotations

from collections.abc import Sequence

from reflection_api.contract import StageResult
from reflection_api.stages import Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus, Verdict

from .cursor import Here, first_attempt
from .observed import Observed
from .record import recorded
from .results import metrics_of
from .step import Step
from .verdict import verdict_after, verdict_of


def after_completion(
    run: Observed, status: ReflectionTrainingStatus, here: Here, parts: Sequence[StageResult] | None
) -> Step:
    """The step after a completed Job whose pods said `parts` (None: what they said is lost)."""
    at, spec = here.cursor, run.resource.spec
    status = recorded(run.resource, status, at, parts)
    if at.stage is Stage.REPORT:
        return Step(status, ending=verdict_of(run, status))
    verdict = verdict_after(spec, at, metrics_of(at.stage, parts) if parts else {})
    target = first_attempt(at.round, Stage.REPORT) if verdict else _following(at)
    return Step(_moved(status, target, verdict))


def _following(at: Cursor) -> Cursor:
    match at.stage:
        case Stage.ROLLOUT:
            return first_attempt(at.round, Stage.VERIFY)
        case Stage.VERIFY:
            return first_attempt(at.round, Stage.TRAIN)
        case Stage.TRAIN:
            return first_attempt(at.round, Stage.EVALUATE)
        case _:
            return first_attempt(at.round + 1, Stage.ROLLOUT)


def _moved(
    status: ReflectionTrainingStatus, target: Cursor, verdict: Verdict | None
) -> ReflectionTrainingStatus:
    """The status at the first attempt of another stage. How far that is nobody knows before one of its pods has reported."""
    return status.model_copy(update={"current": target, "verdict": verdict, "progress": None})
