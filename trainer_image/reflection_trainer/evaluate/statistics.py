"""Differences of shares with intervals that respect clustering.

Several answers to one question are not independent, so every interval is clustered by question: the linearised (delta-method)
variance of a difference of ratio estimates, summed by cluster, as in Miller, "Adding Error Bars to Evals" (2024), section 2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist

from reflection_api.evaluation import Contrast
from reflection_api.status import Comparison

_CONFIDENCE = 0.95


@dataclass
class Share:
    """Right and judged answers by question."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    judged: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, question: str, correct: bool) -> None:
        """Count one judged answer."""
        self.judged[question] += 1
        self.right[question] += correct

    @classmethod
    def of(cls, questions: Sequence[str], verdicts: Sequence[bool]) -> Share:
        """Count judged answers, one question name per verdict."""
        share = cls()
        for question, correct in zip(questions, verdicts, strict=True):
            share.add(question, correct)
        return share

    @property
    def samples(self) -> int:
        """Judged answers."""
        return sum(self.judged.values())

    @property
    def value(self) -> float:
        """Right answers per judged answer; 0 where none was judged."""
        return sum(self.right.values()) / self.samples if self.samples else 0.0

    def residual(self, question: str) -> float:
        """This question's part in the deviation of `value` from its expectation."""
        judged = self.judged.get(question, 0)
        return (self.right.get(question, 0) - self.value * judged) / self.samples if self.samples else 0.0


def compare(base: Share, trained: Share) -> Comparison:
    """Trained minus base, with the interval of the change; questions that both saw are paired."""
    low, high = _interval(trained, base)
    return Comparison(
        base=base.value,
        trained=trained.value,
        change=trained.value - base.value,
        interval=[low, high],
        questions=len(base.judged.keys() | trained.judged.keys()),
        samples=trained.samples,
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
    )


def _interval(one: Share, other: Share) -> tuple[float, float]:
    """95% interval of `one - other`. With fewer than two questions nothing is known: the widest possible interval."""
    clusters = sorted(one.judged.keys() | other.judged.keys())
    if len(clusters) < 2:
        return -1.0, 1.0
    difference = one.value - other.value
    squares = sum((one.residual(cluster) - other.residual(cluster)) ** 2 for cluster in clusters)
    spread = sqrt(squares * len(clusters) / (len(clusters) - 1))
    half = _student_t(len(clusters) - 1) * spread
    return max(-1.0, difference - half), min(1.0, difference + half)


def _student_t(freedom: int) -> float:
    """Two-sided quantile of Student's t: the expansion of Abramowitz and Stegun, 26.7.5, good to 1% from 3 degrees on."""
    z = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
