"""Looking at a run again and again until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from rich.console import Console

from .cluster import Cluster
from .errors import RemoteError
from .printing import print_event
from .seen import Seen, SeenEvent, seen, seen_event

_PAUSE_SECONDS = 2.0
_PATIENCE = 150
"""Looks without an answer before the watching ends: five minutes."""
_FIRST_EVENTS = 5


class Look(NamedTuple):
    """A run at one moment."""

    run: Seen
    events: list[SeenEvent]
    """Those that are new since the look before; at first the last few."""


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
            yield Look(run, new if told else new[-_FIRST_EVENTS:])
            # The run, too: the first look has told something even where there is no event.
            told |= {event.uid for event in events} | {run.metadata.uid}
            if run.ended:
                return
        await asyncio.sleep(_PAUSE_SECONDS)


async def watch_events(cluster: Cluster, name: str, console: Console) -> None:
    """Print events as they come until the run has ended."""
    async for look in looks(cluster, name, trouble=console.print):
        for event in look.events:
            print_event(console, event)
