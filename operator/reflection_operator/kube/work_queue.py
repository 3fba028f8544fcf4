"""Which runs are to be looked at, and when: each at most once in the queue, and by one worker at a time."""

from __future__ import annotations

import asyncio
import random
from collections import deque

_FIRST_RETRY = 0.2
_LONGEST_RETRY = 60.0
_MAX_DOUBLINGS = 10
_HURRY = 2.0
"""Seconds over which the keys are spread whose cause may have gone for all at once."""


class WorkQueue:
    """Keys that wait for a worker.

    - A key that is added while it waits is not added again; one that is added while a worker has it comes back afterwards.
    - A key can be put off; the earliest time wins.
    - A key that failed comes back after a wait that doubles with every failure in a row, at random within the last half of it;
      sooner where something is seen to change, but never before a time that the server asked for.
    """

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()
        self._at_work: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._held: dict[str, float] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a worker and none is at work."""
        return not (self._ready or self._at_work)

    def add(self, key: str) -> None:
        """Have a key looked at as soon as possible."""
        if key in self._at_work:
            self._again.add(key)
            return
        left = self._held.get(key, 0.0) - asyncio.get_running_loop().time()
        if left > 0:
            self.add_after(key, left)
            return
        self._cancel(key)
        if key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._filled.set()

    def add_after(self, key: str, seconds: float) -> None:
        """Have a key looked at later, unless it is to be looked at sooner anyway."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        timer = self._timers.get(key)
        if timer and timer.when() <= at:
            return
        self._cancel(key)
        self._timers[key] = loop.call_at(at, self._due, key)

    async def get(self) -> str:
        """The next key, which is the caller's until `done`."""
        while not self._ready:
            self._filled.clear()
            await self._filled.wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._at_work.add(key)
        return key

    def done(self, key: str) -> None:
        """Give a key back."""
        self._at_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def retry(self, key: str, *, at_least: float = 0.0) -> float:
        """Have a key looked at again that failed; the seconds until then, if nothing changes before.

        Args:
            key: who failed.
            at_least: seconds that it must not come back in, whatever changes.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = min(_LONGEST_RETRY, _FIRST_RETRY * (1 << min(failures, _MAX_DOUBLINGS)))
        wait = max(at_least, longest * random.uniform(0.5, 1.0))
        if at_least:
            self._held[key] = asyncio.get_running_loop().time() + at_least
        self.add_after(key, wait)
        return wait

    def hurry(self) -> None:
        """Have the keys that have failed looked at again soon: what all of them failed of may be over."""
        for key in self._failures.keys() & self._timers.keys():
            self.add_after(key, random.uniform(0.0, _HURRY))

    def succeeded(self, key: str) -> None:
        """The next failure of a key is its first again."""
        self._failures.pop(key, None)
        self._held.pop(key, None)

    def forget(self, key: str) -> None:
        """A key that will not come again."""
        self._cancel(key)
        self._failures.pop(key, None)
        self._held.pop(key, None)

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel(self, key: str) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
