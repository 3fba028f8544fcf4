"""From a change of status to the metrics that follow from it."""

from __future__ import annotations

from datetime import datetime

from reflection_api.status import Cursor, ReflectionTrainingStatus

from .metrics import Metrics


class Measures:
    """Counts what the statuses tell, once, when they are written."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def changed(
        self, old: ReflectionTrainingStatus | None, new: ReflectionTrainingStatus, now: datetime
    ) -> None:
        """A status was written that was decided at a time."""
        before = old or ReflectionTrainingStatus()
        if before.current and before.current.started_at and _left(before.current, new):
            seconds = ((new.completion_time or now) - before.current.started_at).total_seconds()
            self._metrics.stage_ended(before.current.stage, seconds)
        if new.restarts > before.restarts and new.attempts:
            self._metrics.restarted(new.attempts[-1].stage, new.attempts[-1].reason)


def _left(at: Cursor, new: ReflectionTrainingStatus) -> bool:
    """Whether the run has gone on to another stage, or has ended."""
    if new.completion_time is not None or new.current is None:
        return True
    return (new.current.round, new.current.stage) != (at.round, at.stage)
