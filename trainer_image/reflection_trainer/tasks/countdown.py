"""Countdown: numbers and a target that an equation with each of them once makes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reflection_api.tasks import DEFAULT_COUNT, CountdownSource

from ..prompts.rows import read_rows, refuse
from ..verify.countdown import Countdown
from ..verify.verifier import RowError
from .row import TaskRow, distinct

_MISSES = 2000
"""Puzzles in a row that were there before: then there are hardly any others."""
_TRIES = 10_000
"""Draws of numbers for one puzzle: some targets are reached by one draw in hundreds."""


def countdown_rows(source: CountdownSource, count: int | None, seed: int) -> Iterator[TaskRow]:
    """New puzzles, or those of a file.

    Raises:
        BadConfig: there are not so many puzzles with these settings.
        BadData: the file, or a row of it, is not what was expected.
    """
    if source.file is not None:
        return _of_file(Path(source.file))
    wanted = count or DEFAULT_COUNT
    remedy = "raise --largest, --most or --largest-target"
    return distinct(_new_puzzles(source, random.Random(seed)), wanted, misses=_MISSES, remedy=remedy)


def puzzle(nums: Sequence[int], target: int) -> TaskRow:
    """The row of a puzzle. The same numbers in another order are the same question."""
    text = (
        f"Using the numbers {', '.join(map(str, nums))}, write an equation that equals {target}. You can use +, -, *, / and "
        "parentheses, and each number must be used exactly once. Give the equation between answer tags, for example "
        "<answer>(1 + 2) * 3</answer>."
    )
    key = f"{sorted(nums)} {target}"
    return TaskRow(key, {"prompt": text, "nums": list(nums), "target": target})


def _of_file(path: Path) -> Iterator[TaskRow]:
    verifier = Countdown()
    for row in read_rows(path):
        columns: dict[str, Any] = row.columns
        try:
            verifier.check_row(columns)
        except RowError as error:
            refuse(row.place, error.problem, error.remedy)
        yield puzzle([int(number) for number in columns["nums"]], int(columns["target"]))


def _new_puzzles(source: CountdownSource, rng: random.Random) -> Iterator[TaskRow]:
    """Puzzles without end, or until nothing is found for long."""
    failed = 0
    while failed < _TRIES:
        nums = [rng.randint(1, source.largest) for _ in range(rng.randint(source.fewest, source.most))]
        target = _reached(nums, source.operators, rng)
        if target is None or target > source.largest_target:
            failed += 1
            continue
        failed = 0
        yield puzzle(nums, target)


def _reached(nums: Sequence[int], operators: str, rng: random.Random) -> int | None:
    """What a random equation with each number once makes; None where a step leaves the positive whole numbers."""
    values = list(nums)
    while len(values) > 1:
        first, second = values.pop(rng.randrange(len(values))), values.pop(rng.randrange(len(values)))
        value = _applied(first, rng.choice(operators), second)
        if value is None:
            return None
        values.append(value)
    return values[0]


def _applied(first: int, operator: str, second: int) -> int | None:
    large, small = max(first, second), min(first, second)
    if operator == "+":
        return large + small
    if operator == "*":
        return large * small
    if operator == "-":
        return large - small or None
    return large // small if large % small == 0 else None
