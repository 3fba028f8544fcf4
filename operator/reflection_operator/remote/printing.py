"""An overview of a run on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ..local.display import stage_table
from .overview import facts, headline, stages
from .seen import Seen, SeenEvent

_NAME = 10


def overview(
    run: Seen, events: Iterable[SeenEvent], now: datetime, width: int, rewards: Sequence[float] = ()
) -> RenderableType:
    """Everything at once for a terminal of `width` columns."""
    parts: list[RenderableType] = [Text(headline(run.metadata, run.status, run.rounds), style="bold")]
    if lines := stages(run.metadata, run.status, now, rewards):
        parts.append(stage_table(lines, width))
    for fact in facts(run.status, run.max_restarts, now):
        # Only what is waited for is worth several lines.
        words = Text(f"{fact.name:<{_NAME}}  {fact.words}", no_wrap=fact.name != "now", overflow="ellipsis")
        parts.append(words)
    parts += [Text(_words(event), style=_style(event), no_wrap=True, overflow="ellipsis") for event in events]
    return Group(*parts)


def print_overview(console: Console, run: Seen, events: Iterable[SeenEvent], now: datetime) -> None:
    """Print everything at once; a pipe gets whole lines."""
    if console.is_terminal:
        console.print(overview(run, events, now, console.width))
        return
    for line in _plain(run, now):
        console.print(Text(line), highlight=False, soft_wrap=True)
    for event in events:
        print_event(console, event)


def print_event(console: Console, event: SeenEvent) -> None:
    """Print an event: time, reason, message."""
    console.print(Text(_words(event), style=_style(event)), highlight=False, soft_wrap=True)


def _plain(run: Seen, now: datetime) -> Iterator[str]:
    yield headline(run.metadata, run.status, run.rounds)
    for line in stages(run.metadata, run.status, now):
        yield "  ".join(filter(None, (f"{line.stage.value:<{_NAME}}", line.count, line.time, line.note)))
    for fact in facts(run.status, run.max_restarts, now):
        yield f"{fact.name:<{_NAME}}  {fact.words}"


def _words(event: SeenEvent) -> str:
    time = f"{event.at.astimezone():%m-%d %H:%M:%S}" if event.at else ""
    label = f"{event.reason} (warning)" if event.type == "Warning" else event.reason
    return f"{time:<14}  {label:<24}  {event.message}"


def _style(event: SeenEvent) -> str:
    return "yellow" if event.type == "Warning" else ""
