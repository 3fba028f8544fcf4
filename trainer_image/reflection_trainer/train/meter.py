"""Counts what one process does in one optimizer step, so that one sum over the processes gives the step's figures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .reflect_retry import Sample

Phase = Literal["reflect", "retry", "verify"]


@dataclass
class Counts:
    """Sums over the rows of one step. Every field is additive over processes."""

    rows: float = 0.0
    """Reflections sampled, those of dead groups and of further draws included."""
    retries: float = 0.0
    groups: float = 0.0
    all_wrong: float = 0.0
    """Groups in which no reflection earned anything."""
    all_right: float = 0.0
    dead: float = 0.0
    """Groups in which every reflection earned the same: these two, and where several retries earn parts."""
    rewarded: float = 0.0
    """Reflections in groups."""
    reward: float = 0.0
    """What they earned together."""
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

    def count_samples(self, reflections: Sequence[Sample], retries: Sequence[Sample]) -> None:
        """Add what was sampled, and how much of it was cut off."""
        counts = self._counts
        counts.rows += len(reflections)
        counts.retries += len(retries)
        counts.reflection_tokens += sum(len(sample.token_ids) for sample in reflections)
        counts.retry_tokens += sum(len(sample.token_ids) for sample in retries)
        counts.truncated += sum(not sample.finished for sample in reflections)
        counts.retries_truncated += sum(not sample.finished for sample in retries)

    def count_groups(self, groups: Sequence[Sequence[float]]) -> None:
        """Add groups by the rewards of their reflections."""
        counts = self._counts
        counts.groups += len(groups)
        counts.all_wrong += sum(max(group) == 0 for group in groups)
        counts.all_right += sum(min(group) == 1 for group in groups)
        counts.dead += sum(len(set(group)) == 1 for group in groups)
        counts.rewarded += sum(map(len, groups))
        counts.reward += sum(map(sum, groups))

    def count_leaks(self, leaks: int) -> None:
        """Add reflections that give the answer away."""
        self._counts.leaks += leaks

    def finish_step(self) -> Counts:
        """This process's counts of the step; the next step starts from nothing."""
        counts, self._counts = self._counts, Counts()
        counts.seconds_step = time.perf_counter() - self._started
        counts.processes = 1.0
        return counts
