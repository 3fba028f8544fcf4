"""Counts what one process does in one optimizer step, so that one sum over the processes gives the step's figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Literal

Phase = Literal["reflect", "retry", "verify"]


@dataclass
class Counts:
    """Sums over the rows of one step. Every field is additive over processes."""

    rows: float = 0.0
    truncated: float = 0.0
    """Reflections cut off at the token limit."""
    retries_truncated: float = 0.0
    leaks: float = 0.0
    """Reflections in which the retry's answer already stands."""
    reflection_tokens: float = 0.0
    retry_tokens: float = 0.0
    seconds_reflect: float = 0.0
    seconds_retry: float = 0.0
    seconds_verify: float = 0.0
    seconds_step: float = 0.0
    """Wall-clock time of the whole step."""
    processes: float = 0.0

    def to_list(self) -> list[float]:
        """The values in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]

    @classmethod
    def from_list(cls, values: list[float]) -> Counts:
        """The inverse of `to_list`."""
        return cls(*values)


class Meter:
    """The counts of the step that is under way."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._started = time.perf_counter()

    def start_step(self) -> None:
        """The step's clock starts now."""
        self._started = time.perf_counter()

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Add the time that the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            field = f"seconds_{name}"
            setattr(self._counts, field, getattr(self._counts, field) + time.perf_counter() - started)

    def count_tokens(self, reflection: int, retry: int) -> None:
        """Add sampled tokens."""
        self._counts.reflection_tokens += reflection
        self._counts.retry_tokens += retry

    def count_rows(self, *, rows: int, truncated: int, retries_truncated: int) -> None:
        """Add rows, and how many of their reflections and retries were cut off."""
        self._counts.rows += rows
        self._counts.truncated += truncated
        self._counts.retries_truncated += retries_truncated

    def count_leaks(self, leaks: int) -> None:
        """Add reflections that give the answer away."""
        self._counts.leaks += leaks

    def finish_step(self) -> Counts:
        """This process's counts of the step; the next step starts from nothing."""
        counts, self._counts = self._counts, Counts()
        counts.seconds_step = time.perf_counter() - self._started
        counts.processes = 1.0
        return counts
