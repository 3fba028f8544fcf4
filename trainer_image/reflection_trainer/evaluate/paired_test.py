"""Whether a difference could be chance: a paired test that takes whole questions at a time.

A sign-flip (permutation) test. If both sides were alike, each question's difference could as well have had the other sign. The
p-value is the share of all choices of signs whose sum lies as far from 0 as the one that was seen, or farther: two-sided, and
without an assumption on how answers are distributed or hang together within a question (Good, "Permutation, Parametric, and
Bootstrap Tests of Hypotheses", 2005, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_EXACT = 12
"""So many differing questions, at most, have all their 2^12 choices of signs counted."""
_DRAWS = 10_000
_SEED = 0
_FEWEST = 2
"""One question that differs has the same sum with either sign, but for the sign: the answer is always 1."""
_DIGITS = 12
"""Differences of shares that are equal but for rounding are one; sums are compared as loosely."""


def p_value(differences: Iterable[float]) -> float | None:
    """Two-sided p-value of the sign-flip test, in (0, 1]; None where fewer than two questions differ, which tells nothing.

    Up to 12 questions that differ all choices of signs are counted; beyond that 10,000 are drawn with a fixed seed, and the
    seen one counts as one of them, (k + 1) / (n + 1): so the smallest value is 1 / 10,001.

    Args:
        differences: one of each question. Those of 0 change nothing.
    """
    import numpy as np

    values = np.round(np.fromiter(differences, dtype=float), _DIGITS)
    sizes = np.sort(np.abs(values[values != 0]))  # sorted: the draws do not depend on the order of questions
    if len(sizes) < _FEWEST:
        return None
    far = abs(float(values.sum())) - 10.0**-_DIGITS * len(sizes) * float(sizes[-1])
    if len(sizes) <= _EXACT:
        return float(np.mean(np.abs(_all_sums(sizes)) >= far))
    hits = int(np.count_nonzero(np.abs(_drawn_sums(sizes)) >= far))
    return (hits + 1) / (_DRAWS + 1)


def _all_sums(sizes: NDArray[float64]) -> NDArray[float64]:
    """The sum of every choice of signs: shape [2^questions]."""
    import numpy as np

    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums


def _drawn_sums(sizes: NDArray[float64]) -> NDArray[float64]:
    """The sum of drawn choices of signs: shape [draws]. Questions of one size are drawn at once, by how many are positive."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    sums = np.zeros(_DRAWS)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        sums += size * (2.0 * random.binomial(count, 0.5, _DRAWS) - count)
    return sums
