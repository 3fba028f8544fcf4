"""Differences of shares with intervals that respect clustering.

Several answers to one question are not independent, so every interval is clustered by question: the linearised (delta-method)
variance of a difference of ratio estimates, summed by cluster, as in Miller, "Adding Error Bars to Evals" (2024), section 2.

Where all answers are alike that variance is 0, which would claim certainty from a handful of questions. So two made-up
questions are added, one that only the first side answers right and one that only the second does: the adjustment for matched
pairs of Bonett and Price (2012), clustered. Where there are many questions it makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import comb, pi, sqrt, tan
from statistics import NormalDist

from reflection_api.evaluation import Contrast, PairedComparison

from .paired_test import p_value

_CONFIDENCE = 0.95
_MADE_UP = 2


@dataclass
class Share:
    """Right and judged answers by question."""

    right: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Whole numbers, but for the estimates of `at_least_one_of`."""
    judged: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, question: str, correct: bool) -> None:
        """Count one judged answer."""
        self.judged[question] += 1
        self.right[question] += correct

    @property
    def samples(self) -> int:
        """Judged answers."""
        return sum(self.judged.values())

    @property
    def value(self) -> float:
        """Right answers per judged answer; 0 where none was judged."""
        return sum(self.right.values()) / self.samples if self.samples else 0.0


def at_least_one_of(share: Share, k: int) -> Share:
    """Each question as one answer, right by the estimated chance that one of k answers, at least, is right (pass@k).

    The estimate 1 - C(n - c, k) / C(n, k) from n answers with c right ones has no bias: Chen et al., "Evaluating Large Language
    Models Trained on Code" (arXiv 2107.03374), equation 1.

    Args:
        share: n answers to each question, at least k.
        k: how many answers may be tried.
    """
    chances = Share()
    for question, judged in share.judged.items():
        wrong = judged - round(share.right[question])
        chances.judged[question] = 1
        chances.right[question] = 1 - comb(wrong, k) / comb(judged, k)
    return chances


class _Adjusted:
    """A share with two made-up questions of average size: one all right, one all wrong."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._size = share.samples / max(1, len(share.judged))
        self._samples = max(1.0, share.samples + _MADE_UP * self._size)
        self.value = (sum(share.right.values()) + self._size) / self._samples

    def residual(self, question: str) -> float:
        """This question's part in the deviation of `value` from its expectation."""
        right, judged = self._share.right.get(question, 0), self._share.judged.get(question, 0)
        return (right - self.value * judged) / self._samples

    def made_up(self, *, right: bool) -> float:
        """The same of a made-up question."""
        return (right - self.value) * self._size / self._samples


def compare(base: Share, trained: Share) -> PairedComparison:
    """Trained minus base, with the interval of the change; questions that both saw are paired."""
    low, high = _interval(trained, base)
    return PairedComparison(
        base=base.value,
        trained=trained.value,
        change=trained.value - base.value,
        interval=[low, high],
        questions=len(base.judged.keys() | trained.judged.keys()),
        samples=trained.samples,
        p_value=_p_value(trained, base),
    )


def contrast(reflection: Share, control: Share) -> Contrast:
    """Reflection minus control on the same failures, paired by question."""
    low, high = _interval(reflection, control)
    return Contrast(
        reflection=reflection.value,
        control=control.value,
        difference=reflection.value - control.value,
        interval=[low, high],
        questions=len(reflection.judged),
        samples=reflection.samples,
        p_value=_p_value(reflection, control),
    )


def _p_value(one: Share, other: Share) -> float | None:
    """Of the paired test of `one - other`; None where the two did not see the same questions.

    A question counts by its answers, as it does in the change: where both sides have as many, the sum of the differences is
    the change.
    """
    if one.judged.keys() != other.judged.keys():
        return None
    return p_value(
        (one.right[question] / judged - other.right[question] / other.judged[question])
        * (judged + other.judged[question])
        / 2
        for question, judged in one.judged.items()
    )


def _interval(one: Share, other: Share) -> tuple[float, float]:
    """95% interval of `one - other`. With fewer than two questions nothing is known: the widest possible interval."""
    clusters = sorted(one.judged.keys() | other.judged.keys())
    if len(clusters) < 2:
        return -1.0, 1.0
    first, second = _Adjusted(one), _Adjusted(other)
    residuals = [first.residual(cluster) - second.residual(cluster) for cluster in clusters]
    residuals += [first.made_up(right=side) - second.made_up(right=not side) for side in (True, False)]
    count = len(residuals)
    spread = sqrt(sum(residual**2 for residual in residuals) * count / (count - 1))
    half = _student_t(len(clusters) - 1) * spread
    centre = first.value - second.value
    return max(-1.0, centre - half), min(1.0, centre + half)


def _student_t(freedom: int) -> float:
    """Two-sided quantile of Student's t.

    Exact for 1 and 2 degrees of freedom; from 3 on the expansion of Abramowitz and Stegun, 26.7.5, good to 1%.
    """
    if freedom == 1:
        return tan(pi * _CONFIDENCE / 2)
    if freedom == 2:
        return _CONFIDENCE * sqrt(2 / (1 - _CONFIDENCE**2))
    z = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
