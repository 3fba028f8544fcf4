"""Progress of a stage: best effort, losing it loses only the progress bar."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from reflection_api.contract import PROGRESS_VARIABLE, ProgressReport
from reflection_api.stages import Stage

from .post import poster

_MIN_INTERVAL = 0.5
"""Seconds between two reports: more often helps nobody."""


class Progress:
    """Counts units and publishes the newest report: to the file and to the address that the environment names, if any."""

    def __init__(self, stage: Stage, *, index: int, unit: str, total: int) -> None:
        self.stage, self.index, self.unit, self.total = stage, index, unit, total
        self.done = 0
        self.checkpoint_step: int | None = None
        target = os.environ.get(PROGRESS_VARIABLE)
        self._path = Path(target) if target else None
        self._poster = poster()
        self._started, self._base = time.monotonic(), 0
        self._published = 0.0

    def skip(self, done: int) -> None:
        """Count units that an earlier attempt did: they do not enter the rate."""
        self.done = self._base = done
        self._started = time.monotonic()

    def update(
        self, done: int, *, message: str = "", metrics: dict[str, float] | None = None, force: bool = False
    ) -> None:
        """Publish that `done` units are done, at most twice a second unless forced or finished."""
        self.done = done
        now = time.monotonic()
        if self._path is None and self._poster is None:
            return
        if now - self._published < _MIN_INTERVAL and done < self.total and not force:
            return
        self._published = now
        report = ProgressReport(
            stage=self.stage,
            index=self.index,
            done=done,
            total=self.total,
            unit=self.unit,
            remaining_seconds=self._remaining(now),
            message=message[:200],
            metrics=metrics or {},
            checkpoint_step=self.checkpoint_step,
            updated_at=time.time(),
        )
        if self._path is not None:
            _write(self._path, report)
        if self._poster is not None:
            self._poster.offer(report)

    def _remaining(self, now: float) -> float | None:
        fresh = self.done - self._base
        if fresh <= 0:
            return None
        return (now - self._started) / fresh * max(0, self.total - self.done)


def _write(path: Path, report: ProgressReport) -> None:
    with contextlib.suppress(OSError):  # a full disk must not stop the work
        temporary = path.with_suffix(".partial")
        temporary.write_text(report.to_json())
        temporary.replace(path)
