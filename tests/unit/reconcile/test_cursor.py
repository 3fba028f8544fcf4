"""The cursor: the greater of status and Jobs, wherever either is stale or lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus
from reflection_operator.reconcile.cursor import locate, position
from reflection_operator.reconcile.observed import PodPhase

from .builders import UID, complete, decided, failed, job, look, pod, resource, status_at, status_of

STEPS = [
    (1, Stage.ROLLOUT, 1),
    (1, Stage.ROLLOUT, 2),
    (1, Stage.VERIFY, 1),
    (1, Stage.TRAIN, 1),
    (1, Stage.TRAIN, 10),
    (1, Stage.EVALUATE, 1),
    (2, Stage.ROLLOUT, 1),
    (2, Stage.REPORT, 1),
]


def test_positions_are_ordered_as_a_run_goes():
    positions = [position(job(stage, attempt, round_number=number)) for number, stage, attempt in STEPS]
    assert positions == sorted(positions)


@pytest.mark.parametrize("remembered", STEPS)
@pytest.mark.parametrize("shown", STEPS)
def test_the_greater_of_status_and_jobs_wins(remembered, shown):
    status = status_at(remembered[1], remembered[2], round_number=remembered[0])
    newest = complete(shown[1], shown[2], round_number=shown[0])
    here = locate(look(resource(rounds=2), [newest]), status)
    found = here.cursor.round, here.cursor.stage, here.cursor.attempt
    assert found == max(remembered, shown, key=STEPS.index)


def test_a_job_with_our_name_that_the_run_does_not_own_says_nothing():
    """What copies labels, as a tool that copies objects does. Who names the run as the owner, as well, is believed."""
    training = job(Stage.TRAIN)
    run = resource(status_at(Stage.TRAIN))
    for owners in ((), ("somebody",)):
        foreign = complete(Stage.REPORT, owners=owners)
        decision = decided(run, [training, foreign], [pod(training)])
        assert decision.delete == ()
        assert status_of(decision).current.stage is Stage.TRAIN


@pytest.mark.parametrize("remembered", STEPS)
@pytest.mark.parametrize("at_work", STEPS)
def test_a_status_that_is_ahead_of_a_stage_at_work_is_not_believed(remembered, at_work):
    status = status_at(remembered[1], remembered[2], round_number=remembered[0])
    newest = job(at_work[1], at_work[2], round_number=at_work[0], restarts=at_work[2] - 1)
    here = locate(look(resource(rounds=2), [newest]), status)
    found = here.cursor.round, here.cursor.stage, here.cursor.attempt
    same_stage = remembered[:2] == at_work[:2]
    assert found == (max(remembered, at_work) if same_stage else at_work)
    if found == at_work:
        assert (here.job, here.superseded) == (newest, ())


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([], (1, Stage.ROLLOUT, 1, 0)),
        ([complete(Stage.ROLLOUT)], (1, Stage.ROLLOUT, 1, 0)),
        (
            [failed(Stage.TRAIN, 1), job(Stage.TRAIN, 3, restarts=2), complete(Stage.VERIFY)],
            (1, Stage.TRAIN, 3, 2),
        ),
    ],
)
def test_a_lost_status_is_found_again_in_the_jobs(jobs, expected):
    cursor = locate(look(resource(), jobs), ReflectionTrainingStatus()).cursor
    assert (cursor.round, cursor.stage, cursor.attempt, cursor.restarts) == expected


def test_the_start_of_a_stage_survives_a_stale_status():
    status = status_at(Stage.TRAIN, 1)
    here = locate(look(resource(), [job(Stage.TRAIN, 2, created_at=look(resource(), at=500).now)]), status)
    assert here.cursor.started_at == status.current.started_at


def test_a_job_beyond_the_last_round_is_not_ours():
    here = locate(look(resource(rounds=1), [job(Stage.ROLLOUT, round_number=2)]), ReflectionTrainingStatus())
    assert here.cursor.round == 1


def test_a_round_beyond_the_last_is_not_believed():
    here = locate(look(resource(rounds=1), [complete(Stage.TRAIN)]), status_at(Stage.ROLLOUT, round_number=2))
    assert (here.cursor.round, here.cursor.stage) == (1, Stage.TRAIN)


def test_pods_of_a_deleted_namesake_are_not_the_jobs_pods():
    again = job(Stage.TRAIN)
    before = pod(job(Stage.TRAIN, uid="uid-before"))
    mine = pod(again)
    here = locate(look(resource(), [again], [before, mine]), status_at(Stage.TRAIN))
    assert here.pods == (mine,)
    assert here.lingering == (before,)


def test_a_pod_that_only_copies_the_labels_is_waited_for_and_no_part_of_the_job():
    mine = job(Stage.TRAIN)
    copy = replace(pod(mine), job_uid="")
    here = locate(look(resource(), [mine], [copy]), status_at(Stage.TRAIN))
    assert (here.pods, here.lingering) == ((), (copy,))
    ended = replace(copy, phase=PodPhase.FAILED)
    here = locate(look(resource(), [mine], [ended]), status_at(Stage.TRAIN))
    assert (here.pods, here.lingering) == ((), ())


def test_pods_of_other_runs_are_nobodys_here():
    other = pod(job(Stage.TRAIN))
    other = type(other)(name="other", job_name=f"another-{UID[:8]}-r1-train-1")
    assert locate(look(resource(), [], [other]), status_at(Stage.TRAIN)).lingering == ()
