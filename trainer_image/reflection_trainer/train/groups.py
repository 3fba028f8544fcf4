"""The groups that one optimizer step learns from: sampled, and the dead among them kept, dropped or replaced.

A group is the reflections on one failure, which GRPO compares. A dead group, in which all earned the same, teaches nothing.

The processes share the reflections evenly, so that a group may lie in several of them. All know what each has earned, and so
decide alike which groups are dead, what is drawn for them, and which rows each of them trains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from reflection_api.contract import TrainingSettings
from reflection_api.spec.training import DeadGroups

from .deck import Deck
from .failures import FailureTable
from .meter import Meter
from .pool import Pool, Processes
from .reflect_retry import Generator, ReflectRetry, Sample

REFILL_ROUNDS = 4
"""How often a step draws again for what is still dead. At a dead share of a half, a sixteenth of the groups is left then."""


@dataclass(frozen=True, slots=True)
class Row:
    """A completion that is trained, and what it earned."""

    sample: Sample
    reward: float
    """Not a number where the whole group is left out: TRL then takes it into no mean and no deviation."""
    learns: bool
    """Whether the update learns from it."""


@dataclass(frozen=True, slots=True)
class Group:
    """The reflections on one failure, as every process knows them."""

    first: int
    """Number of its first trial in the step's pool; the others follow."""
    rewards: Sequence[float]

    @property
    def is_dead(self) -> bool:
        """Whether all reflections earned the same."""
        return len(set(self.rewards)) == 1


@dataclass(frozen=True, slots=True)
class BatchShape:
    """How many groups are sampled for a step, and by how many they can be reduced."""

    groups: int
    generations: int
    texts: int
    """Of a trial that are trained: its reflection, and its retry where that gets credit too."""
    unit: int
    """A multiple of so many groups can be shared out in whole micro-batches, as many to every process."""

    @classmethod
    def of(cls, settings: TrainingSettings) -> BatchShape:
        """The shape that the settings ask for."""
        generations = settings.method.num_generations
        texts = settings.rows_per_process // settings.reflections_per_process
        at_once = settings.micro_batch_size * settings.world_size
        return cls(
            settings.failures_per_step, generations, texts, at_once // gcd(at_once, generations * texts)
        )


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
        processes: Processes,
    ) -> None:
        self._table = table
        self._deck = deck
        self._steps = steps
        self._shape = shape
        self._dead = dead
        self._meter = meter
        self._processes = processes

    def take(self, generator: Generator) -> list[Row]:
        """This process's rows of the next step, as many in every process. With dropped dead groups, fewer than were asked for.

        The rows of all processes one after the other are group after group, of each the reflections and then their retries.
        """
        pool = Pool(self._processes, self._shape.texts)
        groups = self._sample(pool, self._shape.groups, generator)
        if self._dead == "refill":
            self._refill(pool, groups, generator)
        return self._rows(pool, groups if self._dead == "keep" else self._reduced(groups))

    def _refill(self, pool: Pool, groups: list[Group], generator: Generator) -> None:
        """Put live groups of further failures in the places of dead ones."""
        for _ in range(REFILL_ROUNDS):
            places = [place for place, group in enumerate(groups) if group.is_dead]
            if not places:
                return
            fresh = [group for group in self._sample(pool, len(places), generator) if not group.is_dead]
            for place, group in zip(places, fresh, strict=False):
                groups[place] = group

    def _sample(self, pool: Pool, count: int, generator: Generator) -> list[Group]:
        """Draw so many failures and sample a group for each."""
        failures, size = self._deck.draw(count), self._shape.generations
        share = self._processes.share(count * size)
        # No row for this process: sharded weights are gathered for sampling by all of them together, so it keeps them company.
        own = self._table.take([failures[row // size] for row in share] or failures[:1])
        trials = self._steps.run(own, generator) if share else []
        if not share:
            self._steps.accompany(own[0], generator)
        first, rewards = len(pool), pool.add(count * size, trials)
        groups = [
            Group(first + start, rewards[start : start + size]) for start in range(0, len(rewards), size)
        ]
        if self._processes.index == 0:  # all know all groups, and the figures are sums over the processes
            self._meter.count_groups([group.rewards for group in groups])
        return groups

    def _reduced(self, groups: Sequence[Group]) -> list[Group]:
        """The live groups alone, filled up with dead ones to whole micro-batches in every process."""
        live = sum(not group.is_dead for group in groups)
        size = -(-max(1, live) // self._shape.unit) * self._shape.unit
        return sorted(groups, key=lambda group: group.is_dead)[:size]

    def _rows(self, pool: Pool, groups: Sequence[Group]) -> list[Row]:
        """This process's part of what the groups are trained as."""
        rows = [
            ((group.first + number, place), reward, self._dead == "keep" or not group.is_dead)
            for group in groups
            for place in range(self._shape.texts)
            for number, reward in enumerate(group.rewards)
        ]
        own = [rows[number] for number in self._processes.share(len(rows))]
        samples = pool.deal([text for text, *_ in rows])
        # A retry that found no room is judged all the same: its group is compared with it, though nothing is learned from it.
        return [
            Row(sample, reward if learns else math.nan, learns and sample.sampled)
            for sample, (_, reward, learns) in zip(samples, own, strict=True)
        ]
