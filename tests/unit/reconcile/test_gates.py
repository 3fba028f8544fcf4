"""Gates: point estimates on held-out prompts, compared after each round's evaluation."""

from __future__ import annotations

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.spec import GatesSpec
from reflection_api.stages import Stage
from reflection_operator.reconcile.gates import judge

from .builders import (
    complete,
    created,
    cursor_of,
    decided,
    resource,
    status_at,
    status_of,
    succeeded,
    told,
    truth,
)


@pytest.mark.parametrize(
    ("gates", "figures", "missed"),
    [
        ({}, {}, ""),
        ({}, {"gain": -1.0, "firstTryChange": -1.0}, ""),
        ({"minGain": 0.02}, {"gain": 0.02}, ""),
        ({"minGain": 0.01}, {"gain": 0.03 - 0.02}, ""),
        ({"minGain": 0.02}, {"gain": 0.019}, "the second try gained +0.019, and spec.evaluation.gates.minGain is 0.02"),
        ({"minGain": 0.0}, {"gain": -0.001}, "the second try gained -0.001, and spec.evaluation.gates.minGain is 0"),
        ({"minGain": 0.0}, {}, "the gain of the second try is not known, and spec.evaluation.gates.minGain is 0"),
        ({"maxFirstTryLoss": 0.01}, {"firstTryChange": -0.01}, ""),
        ({"maxFirstTryLoss": 0.01}, {"firstTryChange": 0.5}, ""),
        ({"maxFirstTryLoss": 0.01}, {"firstTryChange": -0.031},
         "the first try lost 0.031, and spec.evaluation.gates.maxFirstTryLoss is 0.01"),
        ({"maxFirstTryLoss": 0.0}, {"gain": 1.0},
         "the change of the first try is not known, and spec.evaluation.gates.maxFirstTryLoss is 0"),
    ],
)  # fmt: skip
def test_which_gates_are_missed(gates, figures, missed):
    verdict = judge(GatesSpec.model_validate(gates), figures)
    if not missed:
        assert verdict is None
    else:
        assert (verdict.succeeded, verdict.reason) == (False, "GateFailed")
        assert verdict.message == f"{missed}; see the report; the artefacts are kept"


def test_both_gates_are_named():
    verdict = judge(GatesSpec(min_gain=0.1, max_first_try_loss=0.1), {"gain": 0.0, "firstTryChange": -0.2})
    assert "gained +0.000" in verdict.message
    assert "lost 0.200" in verdict.message


def test_a_missed_gate_ends_the_rounds_but_a_report_is_written():
    done = complete(Stage.EVALUATE)
    run = resource(status_at(Stage.EVALUATE), rounds=3, evaluation={"gates": {"minGain": 0.1}})
    decision = decided(run, [done], [succeeded(done, gain=0.0)])
    assert created(decision) == [(1, Stage.REPORT, 1, 0)]
    assert truth(decision, ConditionType.SUCCEEDED) == "Unknown"
    reported = complete(Stage.REPORT)
    run = resource(status_of(decision), rounds=3, evaluation={"gates": {"minGain": 0.1}})
    ended = decided(run, [reported], [succeeded(reported)])
    assert truth(ended, ConditionType.SUCCEEDED) == "False"
    assert truth(ended, ConditionType.STALLED) == "True"
    assert truth(ended, ConditionType.EVALUATION_COMPLETE) == "True"
    assert told(ended) == ["ReportWritten", "Failed"]


def test_figures_that_are_lost_are_made_again_when_a_gate_needs_them():
    done = complete(Stage.EVALUATE)
    gated = resource(status_at(Stage.EVALUATE), evaluation={"gates": {"minGain": 0.1}})
    decision = decided(gated, [done])
    assert cursor_of(decision) == (1, Stage.EVALUATE, 2, 1)
    assert "before its figures were read" in decision.events[0].message
    assert cursor_of(decided(resource(status_at(Stage.EVALUATE)), [done])) == (1, Stage.REPORT, 1, 0)
