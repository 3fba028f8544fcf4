"""The stages of a run as lines for people: how far each is, how long it took or still takes. Pure: the clock comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage

from ..reconcile.observed import JobState, ObservedJob
from ..reconcile.text import number, one_line

_MAX_UNIT = 16
_MAX_MESSAGE = 60
_SLOW = 10.0
"""Units per second below which a rate has a decimal."""
_FORMS = {
    "reward": "reward {:.2f}",
    "liveGroupShare": "live groups {:.0%}",
    "reflectionTokens": "reflection {:.1f} tok",
    "tokensPerSecond": "{:,.0f} tok/s",
}


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage of a round, over all its attempts."""

    round: int
    stage: Stage
    seconds: float
    """That its attempts were at work."""
    done: bool
    report: ProgressReport | None = None
    """The newest of its newest attempt; None before there is one."""
    failed: bool = False
    """Its newest attempt has ended without success."""
    again_in: float | None = None
    """Seconds until the next one begins, where one does."""
    age: float = 0.0
    """Seconds since the report was written."""
    before_report: str = "starting"
    """What to say before there is anything to count."""

    @property
    def share(self) -> float | None:
        """How much of it is done; None where that is not known."""
        if self.done:
            return 1.0
        return min(1.0, self.report.done / self.report.total) if self.report and self.report.total else None

    @property
    def count(self) -> str:
        """`228/1,600 answers`, once there is something to count."""
        if self.report is None or not self.report.total:
            return "" if self.done or self.failed else self.before_report
        unit = one_line(self.report.unit, _MAX_UNIT)
        return f"{number(self.report.done)}/{number(self.report.total)} {unit}".rstrip()

    @property
    def rate(self) -> str:
        """Units per second, or seconds for each, as the time left is counted by."""
        left = self.report.remaining_seconds if self.report else None
        if self.done or self.failed or self.report is None or not left:
            return ""
        speed = max(0, self.report.total - self.report.done) / left
        if 0 < speed < 1:
            return f"{1 / speed:,.1f} s each"
        return f"{speed:,.1f}/s" if speed < _SLOW else f"{speed:,.0f}/s"

    @property
    def remaining(self) -> float | None:
        """Seconds that it still takes, counted down since the report."""
        seconds = self.report.remaining_seconds if self.report else None
        return None if self.done or self.failed or seconds is None else max(0.0, seconds - self.age)

    @property
    def time(self) -> str:
        """How long it took, or still takes."""
        if self.done or self.failed:
            return f"{'done' if self.done else 'failed'} in {clock(self.seconds)}"
        return f"since {clock(self.seconds)}" if self.remaining is None else f"{clock(self.remaining)} left"

    @property
    def note(self) -> str:
        """What it is doing, and the figures of what it did last."""
        if self.failed:
            return "" if self.again_in is None else f"starts again in {clock(self.again_in)}"
        if self.report is None:
            return ""
        message = "" if self.done else one_line(self.report.message, _MAX_MESSAGE)
        return "  ".join(filter(None, (message, *_figures(self.report.metrics))))


def stage_lines(
    jobs: Iterable[ObservedJob],
    reports: Mapping[str, ProgressReport | None],
    now: datetime,
    *,
    retry_at: datetime | None = None,
) -> list[StageLine]:
    """A line for every stage that has begun, in the order of the loop.

    Args:
        jobs: all Jobs of the run.
        reports: the newest report of each Job, by its name.
        now: the time.
        retry_at: when the attempt after a failed one begins.
    """
    attempts: dict[tuple[int, Stage], list[ObservedJob]] = {}
    for job in sorted(jobs, key=lambda job: (job.round, list(Stage).index(job.stage), job.attempt)):
        attempts.setdefault((job.round, job.stage), []).append(job)
    again_in = max(0.0, (retry_at - now).total_seconds()) if retry_at else None
    return [_line(of_stage, reports.get(of_stage[-1].name), now, again_in) for of_stage in attempts.values()]


def clock(seconds: float) -> str:
    """`0:08`, `12:34`, `1:02:03`."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _line(
    attempts: Sequence[ObservedJob], report: ProgressReport | None, now: datetime, again_in: float | None
) -> StageLine:
    newest = attempts[-1]
    failed = newest.state is JobState.FAILED
    took = sum(((job.finished_at or now) - job.created_at for job in attempts), timedelta(0))
    return StageLine(
        round=newest.round,
        stage=newest.stage,
        seconds=max(0.0, took.total_seconds()),
        done=newest.state is JobState.COMPLETE,
        report=report,
        failed=failed,
        again_in=again_in if failed else None,
        age=max(0.0, now.timestamp() - report.updated_at) if report else 0.0,
    )


def _figures(metrics: Mapping[str, float]) -> list[str]:
    """The figures that people follow. A group is live where its reflections earned different rewards: it teaches."""
    shown = dict(metrics)
    if "deadGroupShare" in shown:
        shown["liveGroupShare"] = 1 - shown["deadGroupShare"]
    return [form.format(shown[name]) for name, form in _FORMS.items() if name in shown]
