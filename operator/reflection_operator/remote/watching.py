"""Following a run until it ends: events as they come, the stages below them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from rich.console import Console

from ..local.display import Display
from .cluster import Cluster
from .errors import RemoteError
from .overview import headline, stages
from .printing import print_event
from .seen import Seen, SeenEvent, seen, seen_event

_PAUSE_SECONDS = 2.0
_PATIENCE = 150
"""Looks without an answer before the watching ends: five minutes."""
_FIRST_EVENTS = 5


class Look:
    """A run at one moment, and the events that are new since the look before."""

    def __init__(self, run: Seen, events: list[SeenEvent]) -> None:
        self.run = run
        self.events = events


async def looks(cluster: Cluster, name: str, *, trouble: Callable[[str], None]) -> AsyncIterator[Look]:
    """Look at a run again and again until it has ended; `trouble` is told of an outage, once.

    Raises:
        RemoteError: it was deleted, or the API server is away for long.
    """
    told: set[str] = set()
    failures = 0
    while True:
        try:
            run = seen(await cluster.run(name))
            events = [seen_event(event) for event in await cluster.events(run.metadata.uid)]
        except RemoteError as error:
            failures += 1
            if not error.away or not told or failures > _PATIENCE:
                raise
            if failures == 1:
                trouble(f"{error}; trying again")
        else:
            failures = 0
            new = [event for event in events if event.uid not in told]
            # Of what was before, the last ones; the first look has told something even where there is no event.
            yield Look(run, new if told else new[-_FIRST_EVENTS:])
            told |= {event.uid for event in events} | {run.metadata.uid}
            if run.ended:
                return
        await asyncio.sleep(_PAUSE_SECONDS)


async def watch_status(cluster: Cluster, name: str, console: Console) -> Seen:
    """Show a run until it ends; the run as it ended."""
    rewards: list[float] = []
    run: Seen | None = None
    with Display(console) as display:
        async for look in looks(cluster, name, trouble=lambda words: display.line(words, warning=True)):
            if run is None or headline(*_about(run)) != headline(*_about(look.run)):
                display.line(headline(*_about(look.run)))
            run = look.run
            for event in look.events:
                display.event(event.at or datetime.now(UTC), event.type, event.reason, event.message)
            _note_reward(rewards, run)
            display.progress(stages(run.metadata, run.status, datetime.now(UTC), rewards))
    assert run is not None
    return run


async def watch_events(cluster: Cluster, name: str, console: Console) -> None:
    """Print events as they come until the run has ended."""
    async for look in looks(cluster, name, trouble=console.print):
        for event in look.events:
            print_event(console, event)


def _about(run: Seen) -> tuple[object, ...]:
    return run.metadata, run.status, run.rounds


def _note_reward(rewards: list[float], run: Seen) -> None:
    reward = run.status.metrics.get("reward")
    if reward is not None and (not rewards or rewards[-1] != reward):
        rewards.append(reward)
