"""A run's status as stages, facts and events for people. Pure: the clock comes in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from reflection_api.conditions import ConditionType
from reflection_api.contract import ProgressReport
from reflection_api.resource import Metadata
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.status import Phase, ReflectionTrainingStatus

from ..local.stages import StageLine, clock
from ..reconcile.conditions import condition
from ..reconcile.text import many, number, one_line

_BARS = (
    "\N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}"
)
_BARS += (
    "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
_SPARKS = 24
_MAX_MESSAGE = 2000
_ENDED_BY = {
    Stage.ROLLOUT: ConditionType.ROLLOUTS_COMPLETE,
    Stage.VERIFY: ConditionType.FAILURES_VERIFIED,
    Stage.TRAIN: ConditionType.TRAINING_COMPLETE,
    Stage.EVALUATE: ConditionType.EVALUATION_COMPLETE,
}


class Fact(NamedTuple):
    """A line of the overview."""

    name: str
    words: str


def headline(metadata: Metadata, status: ReflectionTrainingStatus, rounds: int) -> str:
    """Which run, and in a word what it is doing."""
    at = status.current
    where = f", round {at.round} of {rounds}" if at and rounds > 1 else ""
    phase = status.phase.value if status.phase else "not seen by an operator yet"
    return f"{metadata.namespace}/{metadata.name}: {phase}{where}"


def stages(
    metadata: Metadata, status: ReflectionTrainingStatus, now: datetime, rewards: Sequence[float] = ()
) -> list[StageLine]:
    """The stages of the current round that have begun; `rewards` are those that were seen so far, oldest first."""
    at = status.current
    if at is None or at.stage not in RUN_STAGES:
        return []
    begun = list(RUN_STAGES[: RUN_STAGES.index(at.stage) + 1])
    lines = []
    since = status.start_time or metadata.creation_timestamp or now
    for stage in begun:
        ended = _ended(status, stage)
        until = ended or status.completion_time or now
        current = stage is at.stage
        lines.append(
            StageLine(
                round=at.round,
                stage=stage,
                seconds=max(0.0, (until - since).total_seconds()),
                done=not current or ended is not None or status.phase is Phase.SUCCEEDED,
                report=_report(status, stage, rewards) if current else None,
                failed=current and status.phase is Phase.FAILED,
                age=_age(status, now),
                before_report="" if status.phase is Phase.SUSPENDED else "at work",
            )
        )
        since = until
    return lines


def facts(status: ReflectionTrainingStatus, max_restarts: int, now: datetime) -> Iterator[Fact]:
    """What there is to know beside the stages."""
    if data := status.dataset:
        yield Fact(
            "dataset", f"{number(data.failures)} failures of {number(data.attempts)} attempts: {data.uri}"
        )
    if saved := status.checkpoint:
        age = clock(max(0.0, (now - saved.saved_at).total_seconds()))
        yield Fact("checkpoint", f"step {saved.step}, {age} ago: {saved.uri}")
    if status.evaluation and (second := status.evaluation.second_try):
        low, high = second.interval
        yield Fact(
            "result",
            f"second try {second.base:.3f} -> {second.trained:.3f} ({second.change:+.3f} [{low:+.3f}, {high:+.3f}])",
        )
    if status.report_uri:
        yield Fact("report", status.report_uri)
    if status.restarts:
        here = f"; {status.restarts_count_towards_max} of {max_restarts} count at this stage"
        yield Fact("restarts", f"{many(status.restarts, 'restart')}{here}")
    for stage, note in status.notes.items():
        yield Fact("note", one_line(f"{stage}: {note}", _MAX_MESSAGE))
    if ready := condition(status.conditions, ConditionType.READY):
        yield Fact("now", one_line(f"{ready.reason}: {ready.message}", _MAX_MESSAGE))


def sparkline(values: Sequence[float]) -> str:
    """The newest values as bars from the lowest to the highest of them."""
    shown = values[-_SPARKS:]
    if len(shown) < 2:
        return ""
    low, span = min(shown), max(shown) - min(shown)
    # Not by a factor: of a span that is small enough it would be infinite.
    shares = [(value - low) / span if 0 < span < math.inf else 0.0 for value in shown]
    return "".join(_BARS[round(share * (len(_BARS) - 1))] for share in shares)


def _report(
    status: ReflectionTrainingStatus, stage: Stage, rewards: Sequence[float]
) -> ProgressReport | None:
    progress = status.progress
    if progress is None:
        return None
    return ProgressReport(
        stage=stage,
        done=progress.step,
        total=progress.total_steps,
        unit="steps" if stage is Stage.TRAIN else "",
        remaining_seconds=progress.estimated_remaining_seconds,
        message=sparkline(rewards),
        metrics=status.metrics,
        updated_at=progress.last_updated_time.timestamp(),
    )


def _age(status: ReflectionTrainingStatus, now: datetime) -> float:
    return max(0.0, (now - status.progress.last_updated_time).total_seconds()) if status.progress else 0.0


def _ended(status: ReflectionTrainingStatus, stage: Stage) -> datetime | None:
    """When a stage of the current round was complete."""
    kind = _ENDED_BY.get(stage)
    found = condition(status.conditions, kind) if kind else None
    return found.last_transition_time if found and found.status == "True" else None
