"""What an evaluation must reach: point estimates on held-out prompts against `spec.evaluation.gates`."""

from __future__ import annotations

from collections.abc import Mapping

from .spec import GatesSpec

_ROUNDING = 1e-9
"""0.02 - 0.01 is a little less than 0.01 in binary: a gate that is met exactly is met."""


def missed_gates(gates: GatesSpec, figures: Mapping[str, float]) -> list[str]:
    """What is missed, a clause for each gate; empty where all are met. A gate whose figure is not known is missed.

    Args:
        gates: what is asked for.
        figures: `gain` and `firstTryChange`, as the evaluate stage reports them.
    """
    missed = (_gain(gates.min_gain, figures), _loss(gates.max_first_try_loss, figures))
    return [clause for clause in missed if clause]


def _gain(least: float | None, figures: Mapping[str, float]) -> str:
    if least is None:
        return ""
    gain = figures.get("gain")
    if gain is None:
        return f"the gain of the second try is not known, and spec.evaluation.gates.minGain is {least:g}"
    if gain >= least - _ROUNDING:
        return ""
    return f"the second try gained {gain:+.3f}, and spec.evaluation.gates.minGain is {least:g}"


def _loss(largest: float | None, figures: Mapping[str, float]) -> str:
    if largest is None:
        return ""
    change = figures.get("firstTryChange")
    if change is None:
        return f"the change of the first try is not known, and spec.evaluation.gates.maxFirstTryLoss is {largest:g}"
    if -change <= largest + _ROUNDING:
        return ""
    return f"the first try lost {-change:.3f}, and spec.evaluation.gates.maxFirstTryLoss is {largest:g}"
