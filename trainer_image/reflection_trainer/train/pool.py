"""What one step has sampled, which the processes share: each has a part of the texts, all know what every trial has earned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .reflect_retry import Sample, Trial

Text = tuple[int, int]
"""A trial's number in its pool, and which of its texts is meant: 0 is the reflection, then come the retries."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a training, as one of them sees them."""

    index: int
    """Of this one, from 0."""
    count: int
    gather: Callable[[Any], list[Any]]
    """Everybody's value, in the order of the processes; all of them call it together."""

    def share(self, things: int, index: int | None = None) -> range:
        """Which of so many things a process has, this one by default: shares follow one another and differ by one at most."""
        index = self.index if index is None else index
        return range(things * index // self.count, things * (index + 1) // self.count)


class Pool:
    """The trials of one step, numbered in the order in which they are drawn."""

    def __init__(self, processes: Processes, texts: int) -> None:
        """Of each trial the first `texts` texts may be trained; the others are let go at once."""
        self._processes = processes
        self._texts = texts
        self._here: dict[Text, Sample] = {}
        self._holders: list[int] = []
        """The process that has sampled each trial."""

    def __len__(self) -> int:
        return len(self._holders)

    def add(self, count: int, own: Sequence[Trial]) -> list[float]:
        """Take up so many further trials, of which this process has sampled its share; what each of them has earned."""
        first, processes = len(self), self._processes
        for index in range(processes.count):
            self._holders += [index] * len(processes.share(count, index))
        for number, trial in zip(processes.share(count), own, strict=True):
            for place, sample in enumerate([trial.reflection, *trial.retries][: self._texts]):
                self._here[first + number, place] = sample
        return [reward for rewards in processes.gather([trial.reward for trial in own]) for reward in rewards]

    def deal(self, wanted: Sequence[Text]) -> list[Sample]:
        """This process's share of a row of texts; all processes ask for the same row.

        What another one has sampled is fetched from there, and nothing else is sent.
        """
        own = [wanted[number] for number in self._processes.share(len(wanted))]
        moving = {
            wanted[number]
            for index in range(self._processes.count)
            for number in self._processes.share(len(wanted), index)
            if self._holders[wanted[number][0]] != index
        }
        if moving:
            parts = self._processes.gather({text: self._here[text] for text in moving & self._here.keys()})
            self._here |= {text: part[text] for part in parts for text in part.keys() & set(own)}
        return [self._here[text] for text in own]
