"""Progress, metrics and checkpoints from the reports of pods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.conditions import ConditionType
from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from reflection_api.status import Phase, Verdict
from reflection_operator.reconcile.cursor import first_attempt

from .builders import (
    FOLDER,
    T0,
    complete,
    decided,
    job,
    pod,
    resource,
    status_at,
    status_of,
    succeeded,
    told,
    truth,
)

TRAINING = job(Stage.TRAIN)


def report(done, total=1000, *, at, stage=Stage.TRAIN, **fields):
    moment = T0.timestamp() + at
    return ProgressReport(stage=stage, done=done, total=total, unit="steps", updated_at=moment, **fields)


def heard(status, *reports):
    for each in reports:
        at = each.updated_at - T0.timestamp()
        status = status_of(decided(resource(status), [TRAINING], [pod(TRAINING)], at=at, progress=each))
    return status


def test_a_report_in_the_status():
    status = heard(
        status_at(Stage.TRAIN), report(412, at=60, remaining_seconds=99.2, metrics={"reward": 0.38})
    )
    assert status.progress.to_dict() == {
        "step": 412,
        "totalSteps": 1000,
        "percentage": 41,
        "estimatedRemainingSeconds": 100,
        "lastUpdatedTime": "2026-08-01T12:01:00Z",
    }
    assert status.metrics == {"reward": 0.38}


@pytest.mark.parametrize(
    ("done", "at", "written"),
    [(411, 62, False), (411, 65, True), (420, 61, True), (500, 60, False), (500, 59, False)],
    ids=["too soon", "five seconds later", "one per cent more", "the same moment", "from the past"],
)
def test_it_is_written_seldom(done, at, written):
    before = heard(status_at(Stage.TRAIN), report(410, at=60))
    now = status_of(
        decided(resource(before), [TRAINING], [pod(TRAINING)], at=70, progress=report(done, at=at))
    )
    assert (now.progress != before.progress) is written


@pytest.mark.parametrize(
    "other",
    [
        report(5, at=60, stage=Stage.EVALUATE),
        report(5, at=-60),
        report(5, at=3600),
        report(5, at=60).model_copy(update={"updated_at": 1e300}),
    ],
    ids=["another stage", "an earlier round", "the future", "no time at all"],
)
def test_reports_that_are_not_the_current_stages(other):
    before = status_at(Stage.TRAIN)
    now = status_of(decided(resource(before), [TRAINING], [pod(TRAINING)], at=70, progress=other))
    assert now.progress is None


@pytest.mark.parametrize(
    "ended", [Stage.ROLLOUT, Stage.EVALUATE], ids=["verify follows", "the report follows"]
)
def test_nothing_is_known_of_a_new_stage_before_a_pod_of_it_reports(ended):
    before = heard(status_at(Stage.TRAIN), report(412, at=60)).progress
    done = complete(ended)
    decision = decided(resource(status_at(ended, progress=before)), [done], [succeeded(done)], at=100)
    assert status_of(decision).progress is None


def test_a_report_of_the_round_before_is_not_taken_while_nothing_of_this_one_has_begun():
    """A pod of another Job that has not ended yet holds the next rollout up."""
    done = complete(Stage.EVALUATE)
    jobs, pods = [done], [succeeded(done), pod(job(Stage.TRAIN))]
    older = report(800, 800, at=60, stage=Stage.ROLLOUT)
    status = status_of(
        decided(resource(status_at(Stage.EVALUATE), rounds=2), jobs, pods, at=90, progress=older)
    )
    decision = decided(resource(status, rounds=2), jobs, pods, at=100, progress=older)
    assert decision.create == ()
    assert status_of(decision).current == first_attempt(2, Stage.ROLLOUT)
    assert status_of(decision).progress is None


def test_a_run_that_has_succeeded_has_no_progress():
    done = complete(Stage.REPORT)
    verdict = Verdict(succeeded=True, reason="Completed", message="it is done")
    status = status_of(
        decided(resource(status_at(Stage.REPORT, verdict=verdict)), [done], [succeeded(done)], at=100)
    )
    assert (status.phase, status.progress) == (Phase.SUCCEEDED, None)


def test_a_checkpoint_is_told_of_once_and_never_goes_back():
    status = heard(status_at(Stage.TRAIN), report(250, at=60, checkpoint_step=200))
    assert status.checkpoint.uri == f"{FOLDER}/round-1/train/checkpoint-200"
    again = decided(
        resource(status), [TRAINING], [pod(TRAINING)], at=90, progress=report(260, at=80, checkpoint_step=200)
    )
    assert told(again) == []
    assert truth(again, ConditionType.CHECKPOINT_AVAILABLE) == "True"
    assert heard(status, report(270, at=95, checkpoint_step=150)).checkpoint == status.checkpoint
    newer = decided(
        resource(status), [TRAINING], [pod(TRAINING)], at=90, progress=report(270, at=85, checkpoint_step=250)
    )
    assert told(newer) == ["CheckpointSaved"]


def test_the_next_round_has_its_own_checkpoints():
    first = heard(status_at(Stage.TRAIN), report(900, at=60, checkpoint_step=900)).checkpoint
    training = job(Stage.TRAIN, round_number=2)
    run = resource(status_at(Stage.TRAIN, round_number=2, checkpoint=first), rounds=2)
    decision = decided(
        run, [training], [pod(training)], at=60, progress=report(60, at=50, checkpoint_step=50)
    )
    assert status_of(decision).checkpoint.uri == f"{FOLDER}/round-2/train/checkpoint-50"


REPORTS = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(Stage),
        "done": st.integers(0),
        "total": st.integers(0),
        "unit": st.text(max_size=32),
        "remaining_seconds": st.none() | st.floats(),
        "metrics": st.dictionaries(st.text(), st.floats(), max_size=32),
        "checkpoint_step": st.none() | st.integers(),
        "updated_at": st.floats(0, allow_nan=False) | st.floats(T0.timestamp(), T0.timestamp() + 4000),
    }
)


@given(REPORTS.map(lambda fields: ProgressReport(**fields)))
def test_a_hostile_report_makes_no_bad_status(hostile):
    decision = decided(resource(status_at(Stage.TRAIN)), [TRAINING], [pod(TRAINING)], progress=hostile)
    status = status_of(decision)
    assert type(status).model_validate_json(status.to_json()) == status
