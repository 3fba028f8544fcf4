"""The questions of "Countdown with two numbers": make T from A and B, where exactly one of + - * / works.

>>> Question(8, 3, 24, "*").row()
{'prompt': 'make 24 from 8 3', 'nums': [8, 3], 'target': 24}
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SMALLEST, LARGEST = 2, 20
OPERATORS = ("+", "-", "*", "/")
HELD_OUT_SHARE = 0.2
SPLIT_SEED = 0


@dataclass(frozen=True)
class Question:
    """Two numbers, a target, and the only operator that leads to it. The model never sees the operator."""

    first: int
    second: int
    target: int
    operator: str

    @property
    def text(self) -> str:
        """The words that the model reads."""
        return f"make {self.target} from {self.first} {self.second}"

    def row(self) -> dict[str, object]:
        """The row of the prompts file: the text and the columns that the countdown verifier reads."""
        return {"prompt": self.text, "nums": [self.first, self.second], "target": self.target}

    def answer_with(self, operator: str) -> str:
        """The answer that uses this operator, the larger number first, for example ``8 * 3``."""
        return f"{max(self.first, self.second)} {operator} {min(self.first, self.second)}"


def all_questions() -> list[Question]:
    """Every pair of unequal numbers with every target that exactly one operator reaches, in a fixed order."""
    numbers = range(SMALLEST, LARGEST + 1)
    return [q for a in numbers for b in numbers if a != b for q in _questions_of(a, b)]


def split_questions() -> tuple[list[Question], list[Question]]:
    """The training and the held-out questions, always the same ones.

    "make 24 from 8 3" and "make 24 from 3 8" are one puzzle: both stand on the same side, or the held-out
    score would measure memory. Each operator gives the same share to the held-out side.
    """
    rng = random.Random(SPLIT_SEED)
    train: list[Question] = []
    held_out: list[Question] = []
    for puzzles in _puzzles_by_operator().values():
        rng.shuffle(puzzles)
        cut = int(len(puzzles) * HELD_OUT_SHARE)
        held_out += [q for puzzle in puzzles[:cut] for q in puzzle]
        train += [q for puzzle in puzzles[cut:] for q in puzzle]
    rng.shuffle(train)
    rng.shuffle(held_out)
    return train, held_out


def write_prompts(folder: Path) -> None:
    """Writes ``train.jsonl`` and ``heldout.jsonl``, one question per line."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, questions in zip(("train", "heldout"), split_questions(), strict=True):
        (folder / f"{name}.jsonl").write_text(_json_lines(questions), encoding="utf-8")


def _json_lines(questions: Iterable[Question]) -> str:
    return "".join(json.dumps(q.row()) + "\n" for q in questions)


def _questions_of(first: int, second: int) -> Iterator[Question]:
    large, small = max(first, second), min(first, second)
    values = {op: _apply(large, op, small) for op in OPERATORS}
    for operator, target in values.items():
        if target is not None and list(values.values()).count(target) == 1:
            yield Question(first, second, target, operator)


def _apply(large: int, operator: str, small: int) -> int | None:
    """The value with the larger number first; None for a division that leaves a remainder.

    The other order gives a negative number or a fraction, never a target.
    """
    if operator == "+":
        return large + small
    if operator == "-":
        return large - small
    if operator == "*":
        return large * small
    return large // small if large % small == 0 else None


def _puzzles_by_operator() -> dict[str, list[list[Question]]]:
    puzzles: dict[str, dict[tuple[int, int, int], list[Question]]] = {op: {} for op in OPERATORS}
    for q in all_questions():
        key = (min(q.first, q.second), max(q.first, q.second), q.target)
        puzzles[q.operator].setdefault(key, []).append(q)
    return {op: list(groups.values()) for op, groups in puzzles.items()}
