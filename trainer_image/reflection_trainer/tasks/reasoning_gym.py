"""Entries of a dataset of the package reasoning-gym."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from reflection_api.reasons import Reason
from reflection_api.tasks import DEFAULT_COUNT, ReasoningGymSource

from ..errors import BadConfig, first_line
from ..verify.reasoning_gym import ReasoningGym
from ..verify.reasoning_gym_library import load
from ..verify.verifier import RowError
from .row import TaskRow, distinct

_BATCH = 500
_MISSES = 1000
"""Entries in a row that were there before."""


def reasoning_gym_rows(source: ReasoningGymSource, count: int | None, seed: int) -> Iterator[TaskRow]:
    """Entries with different questions.

    Raises:
        BadConfig: the dataset or a value of its configuration does not exist, or there are not so many questions.
    """
    remedy = "change --config"
    return distinct(_entries(source, seed), count or DEFAULT_COUNT, misses=_MISSES, remedy=remedy)


def _entries(source: ReasoningGymSource, seed: int) -> Iterator[TaskRow]:
    verifier = ReasoningGym()
    rng = random.Random(seed)
    while True:
        for entry in _batch(source, rng.randrange(1 << 31)):
            row = {"entry": _entry_text(entry)}
            try:
                verifier.check_row(row)
            except RowError as error:
                raise _wrong("dataset", f"{error.problem}; {error.remedy}") from None
            question = str(entry["question"])
            yield TaskRow(question, {"prompt": question, **row})


def _batch(source: ReasoningGymSource, seed: int) -> list[Mapping[str, Any]]:
    gym = load()
    known = gym.factory.DATASETS
    if source.dataset not in known:
        near = get_close_matches(source.dataset, known, n=1)
        raise _wrong(
            "dataset",
            f'reasoning-gym has no dataset "{source.dataset}"'
            + (f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"),
        )
    try:
        dataset = gym.create_dataset(source.dataset, size=_BATCH, seed=seed, **source.config)
        return [dataset[index] for index in range(_BATCH)]
    except ModuleNotFoundError as error:
        needs = f"{source.dataset} cannot be made here, since its generator needs the package {error.name}"
        raise _wrong("dataset", f"{needs}; install that, or take another dataset") from None
    except (AssertionError, TypeError, ValueError) as error:  # how its datasets refuse a configuration
        raise _wrong("config", f"{source.dataset} does not accept it: {first_line(error)}") from None


def _entry_text(entry: Mapping[str, Any]) -> str:
    """As JSON in a string: entries of different shapes then fit into one column of a Parquet file, too."""
    return json.dumps(entry, ensure_ascii=False, default=str)


def _wrong(option: str, problem: str) -> BadConfig:
    return BadConfig(f"--{option}: {problem}", reason=Reason.INVALID_SPEC)
