"""Which failures each optimizer step sees: a function of seed and step alone, so that a resumed run sees the same ones.

TRL's own sampler keeps one random generator for the whole run. A run that resumes in its second pass over the data would
replay the first pass's order, and the failures that do not fill a step at the end of a pass would never be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch.utils.data import Sampler

from ..seeds import derived_seed


class FailureSampler(Sampler[int]):
    """The rows of all steps, one after the other: passes over shuffled failures, joined without a gap.

    Within a step, failure follows failure, each `generations` times (its group), and the whole block `repeats` times: TRL asks
    for a block at every micro-batch and uses the first.
    """

    def __init__(
        self, *, failures: int, failures_per_step: int, generations: int, repeats: int, steps: int, seed: int
    ) -> None:
        self._failures = failures
        self._per_step = failures_per_step
        self._generations = generations
        self._repeats = repeats
        self._steps = steps
        self._seed = seed
        self._pass = -1
        self._order: list[int] = []

    def failures_of(self, step: int) -> list[int]:
        """The failures of a step, counted from 0. With fewer failures than a step takes, some stand in it twice."""
        start = step * self._per_step
        return [self._at(position) for position in range(start, start + self._per_step)]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._rows_of(step) for step in range(self._steps))

    def __len__(self) -> int:
        return self._steps * self._per_step * self._generations * self._repeats

    def _rows_of(self, step: int) -> list[int]:
        block = [failure for failure in self.failures_of(step) for _ in range(self._generations)]
        return block * self._repeats

    def _at(self, position: int) -> int:
        number, offset = divmod(position, self._failures)
        if number != self._pass:
            self._pass, self._order = number, self._shuffled(number)
        return self._order[offset]

    def _shuffled(self, number: int) -> list[int]:
        generator = torch.Generator().manual_seed(derived_seed(self._seed, "failures", number))
        return torch.randperm(self._failures, generator=generator).tolist()
