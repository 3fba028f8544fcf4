"""Where a run goes when the Job of its attempt is complete: to the next stage, the next round, or its end.

The next stage may start only now, so nothing is ever read before it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from reflection_api.contract import StageResult
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.spec import ReflectionTrainingSpec
from reflection_api.stages import Stage
from reflection_api.status import Cursor, ProgressStatus, ReflectionTrainingStatus, Verdict

from .cursor import Here, first_attempt, own_jobs, pods_of
from .gates import judge
from .observed import JobState, Observed, ObservedJob
from .record import recorded
from .results import count, metrics_of, results
from .step import Step
from .text import number, sentence


def after_completion(
    run: Observed, status: ReflectionTrainingStatus, here: Here, parts: Sequence[StageResult] | None
) -> Step:
    """The step after a completed Job whose pods said `parts` (None: what they said is lost)."""
    at, spec = here.cursor, run.resource.spec
    status = recorded(run.resource, status, at, parts)
    if at.stage is Stage.REPORT:
        return Step(status, ending=verdict_of(run, status, at))
    verdict = _verdict(spec, at, metrics_of(at.stage, parts) if parts else {})
    target = first_attempt(at.round, Stage.REPORT) if verdict else _following(at)
    return Step(_moved(status, target, verdict, run.now))


def verdict_of(run: Observed, status: ReflectionTrainingStatus, at: Cursor) -> Verdict:
    """How a run ends whose report has ended, one way or the other; from its Jobs where the status was lost."""
    if status.verdict:
        return status.verdict
    for stage in (Stage.EVALUATE, Stage.VERIFY):
        complete = [job for job in own_jobs(run) if _completes(job, at.round, stage)]
        if complete:
            parts = results(complete[-1], pods_of(run, complete[-1]))
            found = _verdict(
                run.resource.spec, first_attempt(at.round, stage), metrics_of(stage, parts) if parts else {}
            )
            if found:
                return found
    return judge(run.resource.spec.evaluation.gates, {}) or _completed({})


def _completes(job: ObservedJob, round_number: int, stage: Stage) -> bool:
    return (job.round, job.stage, job.state) == (round_number, stage, JobState.COMPLETE)


def _verdict(spec: ReflectionTrainingSpec, at: Cursor, figures: Mapping[str, float]) -> Verdict | None:
    """The verdict that a completed stage brings about; None: the run goes on to the next stage."""
    if at.stage is Stage.VERIFY and count(figures, "failures") == 0:
        return _no_failures(at, spec, figures)
    if at.stage is not Stage.EVALUATE:
        return None
    return judge(spec.evaluation.gates, figures) or (_completed(figures) if at.round >= spec.rounds else None)


def _no_failures(at: Cursor, spec: ReflectionTrainingSpec, figures: Mapping[str, float]) -> Verdict:
    judged = count(figures, "attempts")
    answers = "all answers" if judged is None else f"all {number(judged)} answers"
    words = f"{answers} of round {at.round} of {spec.rounds} are right, so there is nothing to learn from"
    message = sentence(words, MEANINGS[Reason.NO_FAILURES].remedy)
    return Verdict(succeeded=True, reason=Reason.NO_FAILURES, message=message)


def _completed(figures: Mapping[str, float]) -> Verdict:
    words = (
        _compared("second try", figures, "secondTry", "gain"),
        _compared("first try", figures, "firstTry", "firstTry"),
        _compared("retry after a reflection", figures, "retry", "retry"),
    )
    message = sentence(*words) or "all stages are complete; the figures are in evaluate/result.json"
    return Verdict(succeeded=True, reason=Reason.COMPLETED, message=message)


def _compared(label: str, figures: Mapping[str, float], value: str, interval: str) -> str:
    base, trained = figures.get(f"{value}Base"), figures.get(f"{value}Trained")
    if base is None or trained is None:
        return ""
    low, high = figures.get(f"{interval}Low"), figures.get(f"{interval}High")
    between = "" if low is None or high is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"{label} {base:.3f} -> {trained:.3f}, change {trained - base:+.3f}{between}"


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
    status: ReflectionTrainingStatus, target: Cursor, verdict: Verdict | None, now: datetime
) -> ReflectionTrainingStatus:
    """The status at the first attempt of another stage. Its progress is none, as of now: an older report is not its own."""
    progress = ProgressStatus(step=0, total_steps=0, percentage=0, last_updated_time=now)
    return status.model_copy(update={"current": target, "verdict": verdict, "progress": progress})
