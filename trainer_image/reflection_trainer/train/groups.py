"""The groups that one optimizer step learns from: sampled, and the dead among them kept, dropped or replaced.

A group is the reflections on one failure, which GRPO compares. A dead group, in which all earned the same, teaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

from reflection_api.contract import TrainingSettings
from reflection_api.spec.training import DeadGroups

from .deck import Deck
from .failures import FailureTable
from .meter import Meter
from .reflect_retry import Generator, ReflectRetry, Trial

REFILL_ROUNDS = 4
"""How often a step draws again for what is still dead. At a dead share of a half, a sixteenth of the groups is left then."""

Group = list[Trial]


def is_dead(group: Group) -> bool:
    """Whether all reflections earned the same."""
    return len({trial.reward for trial in group}) == 1


@dataclass(frozen=True, slots=True)
class StepBatch:
    """What this process's part of the update is computed from."""

    groups: list[Group]
    """As many in every process. With dropped dead groups, fewer than the step was asked for."""
    learns: list[bool]
    """Which of them the update learns from; the others only fill it up to whole micro-batches."""


@dataclass(frozen=True, slots=True)
class BatchShape:
    """How many groups a process samples for a step, and by how many they can be reduced."""

    groups: int
    generations: int
    unit: int
    """A multiple of so many groups is a multiple of the micro-batch."""

    @classmethod
    def of(cls, settings: TrainingSettings) -> BatchShape:
        """The shape that the settings ask for."""
        rows_per_group = settings.rows_per_process // settings.groups_per_process
        unit = settings.micro_batch_size // gcd(settings.micro_batch_size, rows_per_group)
        return cls(settings.groups_per_process, settings.method.num_generations, unit)


class GroupSource:
    """Samples the groups of each step."""

    def __init__(
        self,
        table: FailureTable,
        deck: Deck,
        steps: ReflectRetry,
        *,
        shape: BatchShape,
        dead: DeadGroups,
        meter: Meter,
        process: int,
        everywhere: Callable[[int], list[int]],
    ) -> None:
        """`everywhere` gathers a number from every process, in their order; all of them call it together."""
        self._table = table
        self._deck = deck
        self._steps = steps
        self._shape = shape
        self._dead = dead
        self._meter = meter
        self._process = process
        self._everywhere = everywhere

    def take(self, generator: Generator) -> StepBatch:
        """The groups of the next step."""
        processes = len(self._everywhere(0))
        groups = self._sample([self._shape.groups] * processes, generator)
        if self._dead == "keep":
            return StepBatch(groups, [True] * len(groups))
        if self._dead == "refill":
            self._refill(groups, generator)
        return self._reduced(groups)

    def _refill(self, groups: list[Group], generator: Generator) -> None:
        """Put live groups of further failures in the places of dead ones. Every process goes through the same rounds."""
        for _ in range(REFILL_ROUNDS):
            places = [place for place, group in enumerate(groups) if is_dead(group)]
            missing = self._everywhere(len(places))
            if not any(missing):
                return
            if not places:
                # Sharded weights are gathered for sampling by all processes together: this one keeps the others company.
                self._steps.accompany(groups[0][0].failure, generator)
            fresh = [group for group in self._sample(missing, generator) if not is_dead(group)]
            for place, group in zip(places, fresh, strict=False):
                groups[place] = group

    def _sample(self, counts: list[int], generator: Generator) -> list[Group]:
        """Draw failures, `counts[p]` for the process p, and sample a group for each of this process's."""
        failures = self._table.take(self._deck.draw(counts, self._process))
        if not failures:
            return []
        size = self._shape.generations
        trials = self._steps.run([failure for failure in failures for _ in range(size)], generator)
        groups = [trials[start : start + size] for start in range(0, len(trials), size)]
        self._meter.count_groups([[trial.reward for trial in group] for group in groups])
        return groups

    def _reduced(self, groups: list[Group]) -> StepBatch:
        """The live groups alone, filled up with dead ones to whole micro-batches and to the same number in every process."""
        ordered = sorted(groups, key=is_dead)
        live = sum(not is_dead(group) for group in groups)
        most = max(1, *self._everywhere(live))
        size = -(-most // self._shape.unit) * self._shape.unit
        return StepBatch(ordered[:size], [place < live for place in range(size)])
