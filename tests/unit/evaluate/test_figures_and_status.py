"""What the evaluate stage reports is what the operator reads: the same names on both sides."""

from __future__ import annotations

import pytest
from reflection_api.contract import StageResult
from reflection_api.gates import missed_gates
from reflection_api.resource import ReflectionTraining
from reflection_api.spec import GatesSpec
from reflection_api.stages import Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus
from reflection_operator.reconcile.gates import judge
from reflection_operator.reconcile.record import recorded
from reflection_trainer.evaluate.result import build_result, metrics_of
from reflection_trainer.evaluate.tally import Tally

from ..reconcile.builders import resource
from .test_result import first, tallies


def recorded_evaluation(result):
    reported = StageResult(
        stage=Stage.EVALUATE, outcome="Succeeded", reason="Completed", metrics=metrics_of(result)
    )
    received = StageResult.model_validate_json(reported.to_json())
    run: ReflectionTraining = resource()
    at = Cursor(round=1, stage=Stage.EVALUATE, attempt=1)
    return recorded(run, ReflectionTrainingStatus(), at, [received]).evaluation


def test_the_status_shows_the_comparisons_of_the_result():
    result = build_result(*tallies())
    status = recorded_evaluation(result)
    for name in ("first_try", "second_try", "retry_success"):
        shown, made = getattr(status, name), getattr(result, name)
        assert shown.interval == pytest.approx(made.interval), name
        assert [shown.base, shown.trained, shown.change] == pytest.approx(
            [made.base, made.trained, made.change]
        )
        assert (shown.questions, shown.samples) == (made.questions, made.samples)


def test_without_failures_the_status_has_no_retry_success():
    tally = Tally(own_are_fixed=True)
    tally.add([first("a", 0, True), first("b", 0, True)], [])
    status = recorded_evaluation(build_result(tally, tally))
    assert status.retry_success is None
    assert status.second_try.trained == 1


@pytest.mark.parametrize(
    ("gates", "met"),
    [
        ({"minGain": 0.25}, True),
        ({"minGain": 0.26}, False),
        ({"maxFirstTryLoss": 0}, True),
    ],
)
def test_gates_are_decided_from_the_reported_figures(gates, met):
    """The second try gains 0.25 and the first try 0.25; the report and the operator say the same."""
    figures = metrics_of(build_result(*tallies()))
    spec = GatesSpec.model_validate(gates)
    assert (judge(spec, figures) is None) is met
    assert (missed_gates(spec, figures) == []) is met


def test_a_lost_first_try_misses_its_gate():
    base, trained = tallies()
    figures = metrics_of(build_result(base, trained)) | {"firstTryChange": -0.3}
    assert "0.300" in missed_gates(GatesSpec(max_first_try_loss=0.1), figures)[0]
