"""How the answers of a run are cut into shards, and which worker makes which."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflection_api.layout import shard_name

from ..seeds import derived_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..prompts.question import Question

STEM = "attempts"
_LARGEST = 4096
"""Answers of a shard: enough to keep a GPU busy, few enough to lose little when a pod dies."""
_SMALL = 256
_SPLIT_SMALL_INTO = 32
"""Small runs are cut too, so that a killed one has something to go on from."""
_NAME = re.compile(rf"{STEM}-(\d{{5}})-of-(\d{{5}})\.parquet")


@dataclass(frozen=True)
class Shard:
    """A part of the answers: all attempts at some questions, so that they share a cached prefix."""

    index: int
    count: int
    questions: Sequence[Question]

    @property
    def name(self) -> str:
        """File name."""
        return shard_name(STEM, self.index, self.count)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer to be sampled."""

    question: Question
    number: int
    seed: int

    @property
    def id(self) -> str:
        """Unique in the run."""
        return f"{self.question.id}-{self.number:02d}"


def shard_count(questions: int, attempts_per_prompt: int, workers: int) -> int:
    """How many shards a run has.

    It follows from the amount of work, so that a Job with more or fewer workers finds the same shards; only more workers than
    that raise it, that none is idle. No shard is without a question.
    """
    attempts = questions * attempts_per_prompt
    by_work = max(math.ceil(attempts / _LARGEST), min(_SPLIT_SMALL_INTO, math.ceil(attempts / _SMALL)))
    return max(1, min(questions, max(by_work, workers)))


def plan_shards(questions: Sequence[Question], attempts_per_prompt: int, workers: int) -> list[Shard]:
    """Every shard of the run: runs of neighbouring questions, equally long up to one."""
    count = shard_count(len(questions), attempts_per_prompt, workers)
    bounds = [index * len(questions) // count for index in range(count + 1)]
    return [Shard(index, count, questions[bounds[index] : bounds[index + 1]]) for index in range(count)]


def shards_of_worker(shards: Sequence[Shard], worker: int, workers: int) -> list[Shard]:
    """The shards that one of the workers makes."""
    return [shard for shard in shards if shard.index % workers == worker]


def attempts_of(shard: Shard, attempts_per_prompt: int, seed: int) -> list[Attempt]:
    """The answers of a shard. An attempt's seed depends on the run's seed, the question and its number alone."""
    return [
        Attempt(question, number, derived_seed(seed, "rollout", question.id, number))
        for question in shard.questions
        for number in range(attempts_per_prompt)
    ]


def parse_name(name: str) -> tuple[int, int] | None:
    """Index and count in a shard's file name; None for other files."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None
