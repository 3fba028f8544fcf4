"""How much memory Python and Arrow hold at most while rows pass through something that is to stream them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa

T = TypeVar("T")


class Held:
    """In bytes, beyond what was held at the beginning."""

    def __init__(self) -> None:
        self._before = pa.total_allocated_bytes()
        self._arrow = 0
        self.most = 0
        """Known at the end."""

    def passing(self, rows: Iterable[T]) -> Iterator[T]:
        """The same rows. Arrow's own peak cannot be reset: each row is a moment to look at what it holds."""
        for row in rows:
            self._look()
            yield row
        self._look()

    def _look(self) -> None:
        self._arrow = max(self._arrow, pa.total_allocated_bytes() - self._before)

    def end(self) -> None:
        """Sum up: Python's peak and Arrow's may have been at different moments."""
        self._look()
        self.most = tracemalloc.get_traced_memory()[1] + self._arrow


@contextmanager
def held() -> Iterator[Held]:
    """Measures what is done within."""
    tracemalloc.start()
    try:
        found = Held()
        yield found
        found.end()
    finally:
        tracemalloc.stop()
