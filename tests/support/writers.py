"""Two writers whose every step is ordered by a test: whatever can happen between two processes can be said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from reflection_trainer.storage.store import Store

_GUARD_SECONDS = 60


class Turns:
    """Lets one of several threads do one step at a time, in a given order; after its end, whoever comes."""

    def __init__(self, order: Sequence[int], writers: int) -> None:
        self._order, self._next = list(order), 0
        self._running = set(range(writers))
        self._changed = threading.Condition()

    def step(self, writer: int, request: Callable[[], Any]) -> Any:
        """Make a request when it is this writer's turn; nobody else makes one meanwhile."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._turn() in (writer, None), _GUARD_SECONDS)
            try:
                return request()
            finally:
                self._next += 1
                self._changed.notify_all()

    def ended(self, writer: int) -> None:
        with self._changed:
            self._running.discard(writer)
            self._changed.notify_all()

    def _turn(self) -> int | None:
        while self._next < len(self._order) and self._order[self._next] not in self._running:
            self._next += 1
        return self._order[self._next] if self._next < len(self._order) else None


class Ordered:
    """A store whose every request waits for its writer's turn."""

    def __init__(self, store: Store, turns: Turns, writer: int) -> None:
        self._store, self._turns, self._writer = store, turns, writer

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if name in ("uri", "root"):
            return value

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            return self._turns.step(self._writer, lambda: value(*args, **kwargs))

        return in_turn


def race(store: Store, order: Sequence[int], *works: Callable[[Store], object]) -> list[BaseException | None]:
    """Run the works with their requests in this order; how each of them ended."""
    turns = Turns(order, len(works))
    ends: list[BaseException | None] = [None] * len(works)

    def run(writer: int) -> None:
        try:
            works[writer](Ordered(store, turns, writer))  # type: ignore[arg-type]
        except Exception as error:
            ends[writer] = error
        finally:
            turns.ended(writer)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends
