"""What the person at the terminal sees: a line per event, a bar for the current stage, plain lines in a pipe."""

from __future__ import annotations

import time
from datetime import datetime

from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_PLAIN_INTERVAL = 15.0
"""Seconds between two progress lines in a pipe."""

_SHOWN_METRICS = {
    "reward": "reward {:.2f}",
    "liveGroupShare": "live groups {:.0%}",
    "reflectionTokens": "reflection {:.1f} tok",
}


class _Rate(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s" if speed < 10 else f"{speed:,.0f}/s")


class Display:
    """Prints events and progress. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
            _Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: tuple[str, int] | None = None
        self._last_plain = time.monotonic()

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def line(self, text: str, *, warning: bool = False) -> None:
        """Print one line above the bar."""
        self.console.print(escape(text), style="yellow" if warning else None, highlight=False, soft_wrap=True)

    def event(self, at: datetime, kind: str, reason: str, message: str) -> None:
        """Print an event: time, type where it is a warning, reason, message."""
        label = f"{reason} (warning)" if kind == "Warning" else reason
        self.line(f"{at.astimezone():%H:%M:%S}  {label:<24} {message}", warning=kind == "Warning")

    def progress(self, job: str | None, stage: Stage | None, report: ProgressReport | None) -> None:
        """Show how far the current stage is."""
        if job is None or stage is None or report is None or report.total == 0:
            return
        note = "  ".join(
            form.format(report.metrics[name])
            for name, form in _SHOWN_METRICS.items()
            if name in report.metrics
        )
        if self.console.is_terminal:
            self._move_bar(job, stage, report, note)
        elif time.monotonic() - self._last_plain >= _PLAIN_INTERVAL:
            self._last_plain = time.monotonic()
            eta = "" if report.remaining_seconds is None else f", {report.remaining_seconds:.0f} s left"
            self.line(
                f"          {stage.value}: {report.done:,}/{report.total:,} {report.unit}{eta}  {note}".rstrip()
            )

    def _move_bar(self, job: str, stage: Stage, report: ProgressReport, note: str) -> None:
        if self._task is None or self._task[0] != job:
            if self._task is not None:
                self._bar.remove_task(self._bar.task_ids[0])
            task = self._bar.add_task(stage.value, total=report.total, unit=report.unit, note=note)
            self._task = (job, task)
        self._bar.update(
            self._bar.task_ids[0], total=report.total, completed=report.done, unit=report.unit, note=note
        )
