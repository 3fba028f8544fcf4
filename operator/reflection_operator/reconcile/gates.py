"""How good the trained model must be: point estimates on held-out prompts against spec.evaluation.gates."""

from __future__ import annotations

from collections.abc import Mapping

from reflection_api.reasons import MEANINGS, Reason
from reflection_api.spec import GatesSpec
from reflection_api.status import Verdict

from .text import sentence

_ROUNDING = 1e-9
"""0.02 - 0.01 is a little less than 0.01 in binary: a gate that is met exactly is met."""


def needs_figures(gates: GatesSpec) -> bool:
    """Whether the run can only go on when the evaluation's figures are known."""
    return gates.min_gain is not None or gates.max_first_try_loss is not None


def judge(gates: GatesSpec, figures: Mapping[str, float]) -> Verdict | None:
    """The verdict where a gate is missed; None where all are met. A gate whose figure is not known is missed."""
    missed = sentence(_gain(gates.min_gain, figures), _loss(gates.max_first_try_loss, figures))
    if not missed:
        return None
    remedy = MEANINGS[Reason.GATE_FAILED].remedy
    return Verdict(succeeded=False, reason=Reason.GATE_FAILED, message=sentence(missed, remedy))


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
