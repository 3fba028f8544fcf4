"""Conditions: complete from the first status on, with honest times, in the sense of kstatus."""

from __future__ import annotations

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_api.status import Phase, Verdict

from .builders import (
    after,
    complete,
    crashed,
    decided,
    failed,
    job,
    pod,
    resource,
    said_of,
    status_at,
    status_of,
    succeeded,
    truth,
)

STAGE_CONDITIONS = (
    ConditionType.ROLLOUTS_COMPLETE,
    ConditionType.FAILURES_VERIFIED,
    ConditionType.TRAINING_COMPLETE,
    ConditionType.EVALUATION_COMPLETE,
)


@pytest.mark.parametrize(
    ("stage", "complete_ones", "phase"),
    [
        (Stage.ROLLOUT, 0, Phase.ROLLOUT),
        (Stage.VERIFY, 1, Phase.VERIFYING),
        (Stage.TRAIN, 2, Phase.TRAINING),
        (Stage.EVALUATE, 3, Phase.EVALUATING),
        (Stage.REPORT, 4, Phase.EVALUATING),
    ],
)
def test_stage_conditions_and_phase_follow_the_cursor(stage, complete_ones, phase):
    at_work = job(stage)
    decision = decided(resource(status_at(stage)), [at_work], [pod(at_work)])
    assert [truth(decision, kind) for kind in STAGE_CONDITIONS] == ["True"] * complete_ones + ["False"] * (
        4 - complete_ones
    )
    assert status_of(decision).phase is phase


def test_a_transition_time_moves_only_with_the_status():
    at_work = job(Stage.ROLLOUT)
    first = status_of(decided(resource(), at=0))
    running = decided(resource(first, generation=2), [at_work], [pod(at_work)], at=500)
    ready = said_of(running, ConditionType.READY)
    assert (ready.reason, ready.last_transition_time, ready.observed_generation) == (
        "Progressing",
        after(0),
        2,
    )
    done = complete(Stage.ROLLOUT)
    moved = decided(resource(status_of(running)), [done], [succeeded(done)], at=900)
    assert said_of(moved, ConditionType.ROLLOUTS_COMPLETE).last_transition_time == after(900)
    assert said_of(moved, ConditionType.FAILURES_VERIFIED).last_transition_time == after(0)


@pytest.mark.parametrize(
    ("decision", "holds"),
    [
        (decided(resource()), "Ready"),
        (decided(resource(suspend=True)), "Ready"),
        (decided(resource(suspend=True), [job(Stage.ROLLOUT)]), "Reconciling"),
        (decided(resource(), [failed(Stage.ROLLOUT)], [crashed(failed(Stage.ROLLOUT), 78)]), "Stalled"),
        (decided(resource(status_at(Stage.REPORT, verdict=Verdict(succeeded=True, reason="Completed", message=""))),
                 [complete(Stage.REPORT)]), "Ready"),
    ],
)  # fmt: skip
def test_exactly_one_of_ready_reconciling_and_stalled_holds(decision, holds):
    kinds = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
    assert [kind for kind in kinds if truth(decision, kind) == "True"] == [holds]
    assert "False" not in (truth(decision, ConditionType.RECONCILING), truth(decision, ConditionType.STALLED))


def test_a_failed_stage_says_why_it_is_not_complete():
    down = failed(Stage.TRAIN)
    decision = decided(resource(status_at(Stage.TRAIN)), [down], [crashed(down, 78)])
    assert said_of(decision, ConditionType.TRAINING_COMPLETE).reason == "TrainerCrashed"
    assert truth(decision, ConditionType.FAILURES_VERIFIED) == "True"


def test_a_new_round_begins_with_its_stages_incomplete():
    done = complete(Stage.EVALUATE)
    decision = decided(resource(status_at(Stage.EVALUATE), rounds=2), [done], [succeeded(done)])
    assert [truth(decision, kind) for kind in STAGE_CONDITIONS] == ["False"] * 4
    assert said_of(decision, ConditionType.ROLLOUTS_COMPLETE).message == "round 2 of 2"
