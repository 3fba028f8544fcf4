"""Whether the trained model is good enough for the run to succeed."""

from __future__ import annotations

from collections.abc import Mapping

from reflection_api.gates import missed_gates
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.spec import GatesSpec
from reflection_api.status import Verdict

from .text import sentence


def needs_figures(gates: GatesSpec) -> bool:
    """Whether the run can only go on when the evaluation's figures are known."""
    return gates.min_gain is not None or gates.max_first_try_loss is not None


def judge(gates: GatesSpec, figures: Mapping[str, float]) -> Verdict | None:
    """The verdict where a gate is missed; None where all are met. A gate whose figure is not known is missed."""
    missed = missed_gates(gates, figures)
    if not missed:
        return None
    message = sentence(*missed, MEANINGS[Reason.GATE_FAILED].remedy)
    return Verdict(succeeded=False, reason=Reason.GATE_FAILED, message=message)
