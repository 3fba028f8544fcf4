"""Who gets whose reflection in the shuffled control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..seeds import derived_seed


def shuffled(questions: Sequence[str]) -> list[int]:
    """For every row, the row whose reflection it gets: a permutation in which no row gets one of its own question.

    Questions are put into an order that has nothing to do with the file's, and the rows are shifted by the size of the largest
    group: that moves every row past its own group wherever this is possible at all. With more than half of the rows on one
    question, some of them keep a reflection of their own question.
    """
    order = sorted(range(len(questions)), key=lambda row: (derived_seed(0, "shuffle", questions[row]), questions[row], row))
    shift = max(Counter(questions).values(), default=0)
    giver = [0] * len(questions)
    for place, row in enumerate(order):
        giver[row] = order[(place + shift) % len(order)]
    return giver
