"""What the person at the terminal sees: a line per event, below them a line per stage, the current one with a bar.

In a pipe there are no bars: the current stage gets a plain line now and then.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .stages import StageLine

_PLAIN_INTERVAL = 15.0
"""Seconds between two progress lines in a pipe."""
_REFRESH_PER_SECOND = 4.0
_BAR = 24
_WIDE = 118
"""Columns from which the figures have room beside the bar."""
_NAME = 8
"""Columns of the longest name."""


class Display:
    """Prints events and progress. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lines: list[StageLine] = []
        self._over = 0
        """The last round that has been printed."""
        self._live = Live(
            console=console,
            auto_refresh=console.is_terminal,
            refresh_per_second=_REFRESH_PER_SECOND,
            get_renderable=lambda: stage_table(self._lines, self.console.width),
        )
        self._last_plain = time.monotonic()

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def line(self, text: str, *, warning: bool = False) -> None:
        """Print one line above the stages."""
        self.console.print(Text(text, style="yellow" if warning else ""), highlight=False, soft_wrap=True)

    def event(self, at: datetime, kind: str, reason: str, message: str) -> None:
        """Print an event: time, type where it is a warning, reason, message."""
        label = f"{reason} (warning)" if kind == "Warning" else reason
        self.line(f"{at.astimezone():%H:%M:%S}  {label:<24} {message}", warning=kind == "Warning")

    def progress(self, lines: Sequence[StageLine]) -> None:
        """Show how far the stages are."""
        if not self.console.is_terminal:
            self._plainly(lines)
            return
        present = max((line.round for line in lines), default=0)
        self._lines = [line for line in lines if line.round == present]
        for number in range(self._over + 1, present):
            # A round that is over scrolls up with the events: the screen is for the present one.
            over = [line for line in lines if line.round == number]
            self.console.print(Group(Text(f"round {number}"), stage_table(over, self.console.width)))
        self._over = max(self._over, present - 1)

    def _plainly(self, lines: Sequence[StageLine]) -> None:
        current = next(
            (line for line in lines if not line.done and not line.failed and line.share is not None), None
        )
        if current is None or time.monotonic() - self._last_plain < _PLAIN_INTERVAL:
            return
        self._last_plain = time.monotonic()
        left = "" if current.remaining is None else f", {current.remaining:.0f} s left"
        self.line(f"          {current.stage.value}: {current.count}{left}  {current.note}".rstrip())


def stage_table(lines: Sequence[StageLine], width: int) -> RenderableType:
    """The stages as a table that fits into `width` columns."""
    wide = width >= _WIDE
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=_NAME, no_wrap=True)
    for justify in ("left", "left", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for line in lines:
        bar = ProgressBar(total=1.0, completed=line.share or 0.0, width=_BAR, pulse=line.share is None)
        note = Text(line.note if wide else "", overflow="ellipsis")
        name = Text(line.stage.value, style="" if line.done else "bold")
        table.add_row(name, bar, Text(line.count), Text(line.rate), Text(line.time), note)
    current = next((line for line in lines if not line.done), None)
    if wide or current is None or not current.note:
        return table
    return Group(table, Text(" " * (_NAME + 2) + current.note, no_wrap=True, overflow="ellipsis"))
