"""Who gets whose reflection in the shuffled control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..seeds import derived_seed


def shuffled(questions: Sequence[str]) -> list[int | None]:
    """For every row, the row whose reflection it gets: always one of another question, and each at most once.

    Questions are put into an order that has nothing to do with the file's, and the rows are shifted by the size of the largest
    group: that moves every row past its own group wherever this is possible at all. With more than half of the rows on one
    question, some of them get none.

    Args:
        questions: the question of every row.
    """
    order = sorted(
        range(len(questions)),
        key=lambda row: (derived_seed(0, "shuffle", questions[row]), questions[row], row),
    )
    shift = max(Counter(questions).values(), default=0)
    giver: list[int | None] = [None] * len(questions)
    for place, row in enumerate(order):
        other = order[(place + shift) % len(order)]
        giver[row] = other if questions[other] != questions[row] else None
    return giver
