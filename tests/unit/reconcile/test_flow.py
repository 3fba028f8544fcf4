"""A run from its first look to its end, decision by decision."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_api.status import Phase, Verdict

from .builders import (
    FOLDER,
    after,
    complete,
    created,
    cursor_of,
    decided,
    failed,
    job,
    pod,
    resource,
    said_of,
    status_at,
    status_of,
    succeeded,
    told,
    truth,
)

VERDICT = Verdict(succeeded=True, reason="Completed", message="second try 0.300 -> 0.800")


def test_first_look_accepts_the_resource_and_creates_the_first_job():
    decision = decided(resource(), at=0)
    assert created(decision) == [(1, Stage.ROLLOUT, 1, 0)]
    assert told(decision) == ["Accepted", "RolloutJobCreated"]
    status = status_of(decision)
    assert status.observed_generation == 1
    assert status.start_time == after(0)
    assert {each.type: each.status for each in status.conditions} == {
        "Ready": "True",
        "Succeeded": "Unknown",
        "Suspended": "False",
        "Queued": "False",
        "RolloutsComplete": "False",
        "FailuresVerified": "False",
        "TrainingComplete": "False",
        "EvaluationComplete": "False",
        "CheckpointAvailable": "False",
    }


@pytest.mark.parametrize(
    ("stage", "metrics", "follows", "event"),
    [
        (Stage.ROLLOUT, {"prompts": 10, "attempts": 80}, (1, Stage.VERIFY, 1, 0), "VerifyJobCreated"),
        (
            Stage.VERIFY,
            {"attempts": 80, "failures": 50, "correct": 30},
            (1, Stage.TRAIN, 1, 0),
            "TrainingStarted",
        ),
        (Stage.TRAIN, {"reward": 0.4}, (1, Stage.EVALUATE, 1, 0), "EvaluationJobCreated"),
        (Stage.EVALUATE, {"gain": 0.1}, (1, Stage.REPORT, 1, 0), "ReportJobCreated"),
    ],
)
def test_a_complete_stage_is_followed_by_the_next(stage, metrics, follows, event):
    done = complete(stage)
    decision = decided(resource(status_at(stage)), [done], [succeeded(done, **metrics)])
    assert created(decision) == [follows]
    assert event in told(decision)


def test_a_round_is_followed_by_the_next_round():
    done = complete(Stage.EVALUATE)
    decision = decided(resource(status_at(Stage.EVALUATE), rounds=2), [done], [succeeded(done, gain=0.1)])
    assert created(decision) == [(2, Stage.ROLLOUT, 1, 0)]
    assert status_of(decision).verdict is None
    assert truth(decision, ConditionType.EVALUATION_COMPLETE) == "False"


def test_no_failures_is_a_successful_end_that_skips_the_training():
    done = complete(Stage.VERIFY)
    decision = decided(resource(status_at(Stage.VERIFY)), [done], [succeeded(done, attempts=80, failures=0)])
    assert created(decision) == [(1, Stage.REPORT, 1, 0)]
    verdict = status_of(decision).verdict
    assert verdict is not None
    assert (verdict.succeeded, verdict.reason) == (True, "NoFailures")
    assert verdict.message == (
        "all 80 answers of round 1 of 1 are right, so there is nothing to learn from; "
        "the model answers everything right: use harder prompts if it should learn more"
    )
    assert said_of(decision, ConditionType.TRAINING_COMPLETE).reason == "NoFailures"
    assert truth(decision, ConditionType.SUCCEEDED) == "Unknown"


def test_results_that_are_lost_with_their_pods_do_not_stop_a_run():
    decision = decided(resource(status_at(Stage.VERIFY)), [complete(Stage.VERIFY)])
    assert created(decision) == [(1, Stage.TRAIN, 1, 0)]
    assert status_of(decision).dataset is None


def test_the_end_of_the_report_is_the_end_of_the_run():
    done = complete(Stage.REPORT)
    run = resource(status_at(Stage.REPORT, verdict=VERDICT))
    decision = decided(run, [done], [succeeded(done)], at=3600)
    assert created(decision) == []
    assert truth(decision, ConditionType.SUCCEEDED) == "True"
    assert truth(decision, ConditionType.READY) == "True"
    assert truth(decision, ConditionType.STALLED) == "absent"
    assert status_of(decision).phase is Phase.SUCCEEDED
    assert status_of(decision).completion_time == after(3600)
    assert status_of(decision).report_uri == f"{FOLDER}/report"
    assert told(decision) == ["ReportWritten", "Succeeded"]
    assert decision.look_again is None


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_report_that_cannot_be_written_changes_no_verdict(succeeds):
    verdict = VERDICT.model_copy(update={"succeeded": succeeds})
    run = resource(status_at(Stage.REPORT, attempt=4, restarts=3, verdict=verdict))
    decision = decided(run, [failed(Stage.REPORT, 4)])
    assert truth(decision, ConditionType.SUCCEEDED) == str(succeeds)
    assert said_of(decision, ConditionType.SUCCEEDED).message == verdict.message
    assert told(decision)[0] == "ReportCrashed"
    assert status_of(decision).report_uri is None


def test_a_verdict_lost_with_the_status_is_found_again_from_the_jobs():
    evaluated, reported = complete(Stage.EVALUATE), complete(Stage.REPORT)
    run = resource(evaluation={"gates": {"minGain": 0.2}})
    decision = decided(run, [evaluated, reported], [succeeded(evaluated, gain=0.1), succeeded(reported)])
    assert truth(decision, ConditionType.SUCCEEDED) == "False"
    assert said_of(decision, ConditionType.SUCCEEDED).reason == "GateFailed"


def test_no_failures_is_found_again_from_the_jobs():
    verified, reported = complete(Stage.VERIFY), complete(Stage.REPORT)
    pods = [succeeded(verified, attempts=8, failures=0), succeeded(reported)]
    decision = decided(resource(), [verified, reported], pods)
    assert said_of(decision, ConditionType.SUCCEEDED).reason == "NoFailures"


def test_a_lost_status_without_figures_passes_no_gate():
    decision = decided(resource(evaluation={"gates": {"minGain": 0.2}}), [complete(Stage.REPORT)])
    assert truth(decision, ConditionType.SUCCEEDED) == "False"
    decision = decided(resource(), [complete(Stage.REPORT)])
    assert truth(decision, ConditionType.SUCCEEDED) == "True"


def test_a_job_deleted_by_hand_is_created_again_under_its_name():
    decision = decided(resource(status_at(Stage.TRAIN, attempt=2, restarts=1)))
    assert created(decision) == [(1, Stage.TRAIN, 2, 1)]
    assert told(decision) == []


def test_it_is_not_created_while_a_pod_of_its_namesake_still_runs():
    gone = job(Stage.TRAIN)
    still_there = pod(gone, deleting=True)
    decision = decided(resource(status_at(Stage.TRAIN)), [], [still_there])
    assert created(decision) == []
    message = said_of(decision, ConditionType.READY).message
    assert still_there.name in message
    assert "node-1" in message


def test_it_is_not_created_while_it_is_being_deleted():
    going = job(Stage.TRAIN, deleting=True)
    decision = decided(resource(status_at(Stage.TRAIN)), [going], [pod(going)])
    assert (created(decision), decision.delete) == ([], ())
    assert "is being deleted" in said_of(decision, ConditionType.READY).message


def test_a_live_job_of_an_earlier_attempt_is_stopped_and_waited_for():
    earlier = job(Stage.TRAIN, 1)
    run = resource(status_at(Stage.TRAIN, attempt=2))
    decision = decided(run, [earlier], [pod(earlier)])
    assert (created(decision), decision.delete) == ([], (earlier.name,))
    decision = decided(run, [], [pod(earlier, deleting=True)])
    assert created(decision) == []
    assert created(decided(run, [], [])) == [(1, Stage.TRAIN, 2, 0)]


def test_a_job_that_only_borrowed_our_labels_is_ignored():
    foreign = complete(Stage.EVALUATE)
    foreign = type(foreign)(**{name: getattr(foreign, name) for name in foreign.__slots__} | {"name": "mine"})
    assert created(decided(resource(), [foreign])) == [(1, Stage.ROLLOUT, 1, 0)]


def test_results_are_waited_for_while_their_job_has_only_just_ended():
    done = complete(Stage.VERIFY, finished_at=after(60))
    run = resource(status_at(Stage.VERIFY))
    unseen = decided(run, [done], [pod(done)], at=62)
    assert (created(unseen), cursor_of(unseen)) == ([], (1, Stage.VERIFY, 1, 0))
    assert unseen.look_again == timedelta(seconds=1)
    seen = decided(run, [done], [succeeded(done, attempts=8, failures=0)], at=62)
    assert created(seen) == [(1, Stage.REPORT, 1, 0)]
    late = decided(run, [done], [], at=71)
    assert created(late) == [(1, Stage.TRAIN, 1, 0)]


def test_a_failure_is_not_judged_before_its_pods_are_seen():
    down = failed(Stage.TRAIN, finished_at=after(60))
    run = resource(status_at(Stage.TRAIN))
    assert cursor_of(decided(run, [down], [pod(down)], at=62)) == (1, Stage.TRAIN, 1, 0)
    assert cursor_of(decided(run, [down], [pod(down)], at=71)) == (1, Stage.TRAIN, 2, 1)


def test_another_controllers_resource_and_one_being_deleted_are_left_alone():
    for run in (resource(managedBy="kueue.x-k8s.io/multikueue"), resource(deleted=True)):
        decision = decided(run, [job(Stage.ROLLOUT)])
        assert (decision.status, decision.create, decision.delete, decision.events) == (None, (), (), ())
    assert created(decided(resource(managedBy="reflection.training/operator"))) == [(1, Stage.ROLLOUT, 1, 0)]


def test_after_the_end_nothing_changes_but_what_is_alive_is_stopped():
    ended = status_of(decided(resource(status_at(Stage.REPORT, verdict=VERDICT)), [complete(Stage.REPORT)]))
    straggler = job(Stage.TRAIN)
    decision = decided(resource(ended, generation=7), [straggler, failed(Stage.EVALUATE)], at=90_000)
    assert decision.delete == (straggler.name,)
    assert (decision.create, decision.events) == ((), ())
    assert status_of(decision).observed_generation == 7
    same = {"observed_generation": 0}
    assert [each.model_copy(update=same) for each in status_of(decision).conditions] == [
        each.model_copy(update=same) for each in ended.conditions
    ]


def test_a_second_look_at_the_same_things_adds_nothing():
    first = decided(resource(), at=0)
    second = decided(resource(status_of(first)), at=0)
    assert second.status == first.status
    assert second.create == first.create
    assert second.events == ()
