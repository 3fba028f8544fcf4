"""How the watches are doing, seen from below: kopf watches, and this listens to its connection.

A watch that says nothing is dead: the API server sends a bookmark about every minute. And a list that kopf makes anew means
that its watch had been interrupted for too long: deletions meanwhile are told by nobody.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from .kinds import Kind
from .metrics import Metrics


@dataclass(slots=True)
class _Stream:
    """The newest connection of one watch."""

    response: aiohttp.ClientResponse
    heard: float
    received: int = 0

    def last_heard(self, now: float) -> float:
        """When something came, as far as looking from time to time can tell."""
        received = self.response.content.total_bytes
        if received != self.received:
            self.received, self.heard = received, now
        return self.heard


class Watches:
    """Listens to a session. A kind is watched once for each namespace, and the one that is silent longest counts.

    A namespace that may not be watched does not count beside others: a restart would not bring its Role back.
    """

    def __init__(
        self,
        kinds: tuple[Kind, ...],
        places: int,
        metrics: Metrics,
        relisted: Callable[[], None],
        recovered: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen for watches of `kinds` in `places` namespaces (1 for all).

        `relisted` is called after a list, `recovered` when one of these requests gets through again after it had failed.
        """
        self._kinds = {kind.plural: kind for kind in kinds}
        self._places = places
        self._metrics = metrics
        self._relisted = relisted
        self._recovered = recovered
        self._clock = clock
        self._streams: dict[str, dict[str, _Stream]] = {name: {} for name in self._kinds}
        self._refused: dict[str, set[str]] = {name: set() for name in self._kinds}
        self._failed: set[str] = set()
        """Where the last request did not get through, by path."""
        self._due: dict[str, float] = {}
        """Since when every namespace that may be watched should be, by kind."""

    @property
    def expected(self) -> bool:
        """Whether there should be watches by now."""
        return bool(self._due)

    def expect(self) -> None:
        """All that there is was listed: from now on it is to be watched."""
        self._due = dict.fromkeys(self._kinds, self._clock())

    def ages(self) -> dict[str, float]:
        """Seconds since each kind was last heard of. A watch that has not begun is silent since it was expected."""
        now = self._clock()
        return {name: self._age(name, now) for name in self._kinds}

    def _age(self, name: str, now: float) -> float:
        streams, refused = self._streams[name], self._refused[name]
        watched = [stream for path, stream in streams.items() if path not in refused]
        ages = [now - stream.last_heard(now) for stream in watched]
        if not watched or len(watched) + len(refused) < self._places:
            ages.append(now - self._due.get(name, -math.inf))
        return max(ages)

    def trace(self) -> aiohttp.TraceConfig:
        """What a session has to be made with."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._on_end)
        config.on_request_exception.append(self._on_exception)
        return config

    async def _on_exception(self, _: Any, __: Any, params: aiohttp.TraceRequestExceptionParams) -> None:
        """There is no response, as while the API server is away."""
        if self._kind(params.url.path):
            self._failed.add(params.url.path)

    async def _on_end(self, _: Any, __: Any, params: aiohttp.TraceRequestEndParams) -> None:
        """A response has begun; that of a watch goes on."""
        name = self._kind(params.url.path)
        if name is None:
            return
        watch = params.url.query.get("watch") == "true"
        self._metrics.request("watch" if watch else "list", name, params.response.status)
        if params.response.status >= 500:
            self._failed.add(params.url.path)
        if params.response.status == 403:
            self._refused[name].add(params.url.path)
        if params.response.status != 200:
            return
        if params.url.path in self._failed:
            self._failed.remove(params.url.path)
            self._recovered()
        if params.url.path in self._refused[name]:
            self._refused[name].remove(params.url.path)
            # What may be watched again is not, for a moment.
            self._due[name] = self._clock()
        if watch:
            self._streams[name][params.url.path] = _Stream(params.response, self._clock())
        else:
            self._relisted()

    def _kind(self, path: str) -> str | None:
        name = path.rsplit("/", 1)[-1]
        kind = self._kinds.get(name)
        return name if kind and path.startswith(f"{kind.root}/") else None
