"""How a run ends: known when its last stage is complete, and carried along while the report is written."""

from __future__ import annotations

from collections.abc import Mapping

from reflection_api.reasons import MEANINGS, Reason
from reflection_api.spec import ReflectionTrainingSpec
from reflection_api.stages import ROUND_STAGES, Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus, Verdict

from .cursor import first_attempt, own_jobs, pods_of, position
from .gates import judge
from .observed import Observed
from .results import count, metrics_of, results
from .text import number, sentence


def verdict_after(spec: ReflectionTrainingSpec, at: Cursor, figures: Mapping[str, float]) -> Verdict | None:
    """The verdict that a completed stage brings about; None: the run goes on to the next stage."""
    if at.stage is Stage.VERIFY and count(figures, "failures") == 0:
        return _no_failures(at, spec, figures)
    if at.stage is not Stage.EVALUATE:
        return None
    return judge(spec.evaluation.gates, figures) or (_completed(figures) if at.round >= spec.rounds else None)


def verdict_in_jobs(run: Observed, round_number: int) -> Verdict | None:
    """The verdict of a run whose report is due, from the figures of its last stage; None where its pods are gone."""
    stages = [job for job in own_jobs(run) if job.round == round_number and job.stage in ROUND_STAGES]
    last = max(stages, key=position, default=None)
    parts = results(last, pods_of(run, last)) if last else None
    if last is None or parts is None:
        return None
    return verdict_after(
        run.resource.spec, first_attempt(round_number, last.stage), metrics_of(last.stage, parts)
    )


def verdict_of(run: Observed, status: ReflectionTrainingStatus) -> Verdict:
    """How a run ends whose report has ended, one way or the other. A verdict that is lost for good passes no gate."""
    return status.verdict or judge(run.resource.spec.evaluation.gates, {}) or _completed({})


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
