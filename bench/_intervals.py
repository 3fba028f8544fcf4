"""Means of a few measurements, how sure they are, and aims that noise alone does not meet."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from _records import metric

T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Two-sided 95% quantile of Student's t by number of measurements."""


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard error and 95% interval; a single value has none, and NaN says so."""
    mean, count = statistics.mean(values), len(values)
    error = statistics.stdev(values) / count**0.5 if count > 1 else float("nan")
    # For more values than the table has, its last entry makes the interval a little too wide.
    half = T_95[min(count, max(T_95))] * error if count > 1 else float("nan")
    return {"mean": mean, "standardError": error, "interval": [mean - half, mean + half]}


def gain(name: str, values: Sequence[float], unit: str, least: float) -> list[dict[str, Any]]:
    """The mean of paired measurements and the low end of its interval: a gain is one that the interval does not deny."""
    found = summary(values)
    return [
        metric(f"{name}, mean", found["mean"], unit, ">", least),
        metric(f"{name}, low end of its 95% interval", found["interval"][0], unit, ">=", least),
    ]
