"""Held-out questions, and the sample of a limit."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable

from .question import Question

HELD_OUT_SHARE = 0.1


def held_out_split(
    questions: Iterable[Question], seed: int, share: float = HELD_OUT_SHARE
) -> tuple[list[Question], list[Question]]:
    """Split into training and held-out questions, both in their order.

    A question's side follows from a hash of its text, so that equal questions are never on both sides. The share is exact up
    to one question; of two different questions or more, one at least is held out.
    """
    questions = list(questions)
    chosen = held_out_keys((question.key for question in questions), seed, share)
    training = [question for question in questions if question.key not in chosen]
    return training, [question for question in questions if question.key in chosen]


def held_out_keys(keys: Iterable[str], seed: int, share: float) -> set[str]:
    """Those of the different keys that are held out."""
    ranked = sorted(set(keys), key=lambda key: _rank(key, seed))
    return set(ranked[: math.ceil(len(ranked) * share)]) if len(ranked) > 1 else set()


def sampled_rows(rows: int, limit: int | None, seed: int) -> set[int] | None:
    """Indices of the rows to use, a seeded sample; None means all."""
    if limit is None or limit >= rows:
        return None
    return set(random.Random(seed).sample(range(rows), limit))


def _rank(key: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{key}".encode()).hexdigest()
