"""An overview of a run on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.text import Text

from ..local.display import stage_table
from .overview import facts, headline, stages
from .seen import Seen, SeenEvent

_NAME = 10


def print_overview(console: Console, run: Seen, events: Iterable[SeenEvent], now: datetime) -> None:
    """Print everything at once: stages, facts, the last events."""
    _line(console, headline(run.metadata, run.status, run.rounds))
    lines = stages(run.metadata, run.status, now)
    if lines and console.is_terminal:
        console.print(stage_table(lines, console.width))
    for line in () if console.is_terminal else lines:
        _line(
            console,
            "  ".join(filter(None, (f"{line.stage.value:<{_NAME}}", line.count, line.time, line.note))),
        )
    for fact in facts(run.status, run.max_restarts, now):
        _line(console, f"{fact.name:<{_NAME}}  {fact.words}")
    for event in events:
        print_event(console, event)


def print_event(console: Console, event: SeenEvent) -> None:
    """Print an event: time, reason, message."""
    time = f"{event.at.astimezone():%m-%d %H:%M:%S}" if event.at else ""
    label = f"{event.reason} (warning)" if event.type == "Warning" else event.reason
    _line(console, f"{time:<14}  {label:<24}  {event.message}", warning=event.type == "Warning")


def _line(console: Console, words: str, *, warning: bool = False) -> None:
    console.print(Text(words, style="yellow" if warning else ""), highlight=False, soft_wrap=True)
