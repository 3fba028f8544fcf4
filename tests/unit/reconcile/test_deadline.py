"""Deadlines: the active time of the whole run, and the time that pods may take to start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_api.status import Verdict
from reflection_operator.reconcile.observed import PodPhase, Waiting

from .builders import (
    after,
    changed,
    complete,
    created,
    decided,
    job,
    pod,
    resource,
    said_of,
    status_at,
    status_of,
    succeeded,
    truth,
)

PENDING = PodPhase.PENDING
TRAINING = job(Stage.TRAIN, completions=2, active=2)
ROLLOUT = job(Stage.ROLLOUT, completions=2, active=2)


@pytest.mark.parametrize(("at", "ends"), [(599, False), (600, True)])
def test_the_run_ends_when_it_was_active_for_too_long(at, ends):
    run = resource(status_at(Stage.TRAIN), activeDeadlineSeconds=600)
    decision = decided(run, [TRAINING], [pod(TRAINING), pod(TRAINING, 1)], at=at)
    assert truth(decision, ConditionType.SUCCEEDED) == ("False" if ends else "Unknown")
    assert decision.delete == ((TRAINING.name,) if ends else ())


def test_the_next_look_is_not_later_than_the_deadline():
    run = resource(status_at(Stage.TRAIN), activeDeadlineSeconds=600)
    assert decided(run, [TRAINING], [pod(TRAINING)], at=555).look_again == timedelta(seconds=45)


def test_the_message_says_how_long_and_what_to_do():
    run = resource(status_at(Stage.TRAIN), activeDeadlineSeconds=600)
    succeeded_ = said_of(
        decided(run, [TRAINING], [pod(TRAINING), pod(TRAINING, 1)], at=600), ConditionType.SUCCEEDED
    )
    assert succeeded_.reason == "DeadlineExceeded"
    assert succeeded_.message == (
        "the run was active for 600 s (spec.activeDeadlineSeconds) and is at train of round 1; "
        "raise spec.activeDeadlineSeconds and create a new ReflectionTraining"
    )


def test_the_time_begins_anew_after_a_suspension():
    resting = status_of(
        decided(resource(status_at(Stage.TRAIN), suspend=True, activeDeadlineSeconds=600), at=10)
    )
    assert resting.start_time is None
    still = decided(resource(resting, suspend=True, activeDeadlineSeconds=600), at=100_000)
    assert truth(still, ConditionType.SUCCEEDED) == "Unknown"
    resumed = status_of(decided(resource(resting, activeDeadlineSeconds=600), at=100_000))
    assert resumed.start_time == after(100_000)
    again = resource(resumed, activeDeadlineSeconds=600)
    for at, ends in ((100_599, "Unknown"), (100_600, "False")):
        training = job(Stage.TRAIN)
        assert truth(decided(again, [training], [pod(training)], at=at), ConditionType.SUCCEEDED) == ends


@pytest.mark.parametrize(
    ("of", "phases", "ends"),
    [
        (ROLLOUT, [PENDING, PENDING], True),
        (ROLLOUT, [PENDING, PodPhase.RUNNING], False),
        (ROLLOUT, [PENDING, PodPhase.FAILED], False),
        (TRAINING, [PENDING, PodPhase.RUNNING], True),
        (TRAINING, [PodPhase.RUNNING, PodPhase.RUNNING], False),
        (TRAINING, [], False),
        (job(Stage.TRAIN, active=0), [], False),
    ],
    ids=[
        "no shard started",
        "one shard is enough",
        "a shard that has run",
        "a training needs all",
        "all run",
        "pods not seen but counted by the Job",
        "pods that nobody has created yet, or again",
    ],
)
def test_pods_that_do_not_start(of, phases, ends):
    pods = [pod(of, index, phase=phase) for index, phase in enumerate(phases)]
    decision = decided(resource(status_at(of.stage), pendingDeadlineSeconds=300), [of], pods, at=300)
    assert truth(decision, ConditionType.SUCCEEDED) == ("False" if ends else "Unknown")
    assert not ends or said_of(decision, ConditionType.SUCCEEDED).reason == "PendingDeadlineExceeded"


@pytest.mark.parametrize(("at", "ends"), [(7499, False), (7500, True)])
@pytest.mark.parametrize("stage", [Stage.ROLLOUT, Stage.EVALUATE])
def test_the_time_begins_anew_with_the_pod_that_takes_the_place_of_a_lost_one(stage, at, ends):
    """The Job of such a stage replaces it by itself, long after its own start."""
    at_work = job(stage, active=1)
    instead = pod(at_work, phase=PENDING, node=None, created_at=after(7200))
    decision = decided(resource(status_at(stage), pendingDeadlineSeconds=300), [at_work], [instead], at=at)
    assert truth(decision, ConditionType.SUCCEEDED) == ("False" if ends else "Unknown")


def test_pods_that_cannot_even_be_created_are_waited_for_from_when_that_was_told():
    refused = job(Stage.ROLLOUT, pods_refused="exceeded quota")
    run = resource(status_at(Stage.ROLLOUT), pendingDeadlineSeconds=300)
    told = decided(run, [refused], at=7200)
    assert said_of(told, ConditionType.READY).reason == "ChildRefused"
    still = resource(status_of(told), pendingDeadlineSeconds=300)
    for at, ends in ((7499, "Unknown"), (7500, "False")):
        decision = decided(still, [refused], at=at)
        assert truth(decision, ConditionType.SUCCEEDED) == ends
    assert decided(still, [refused], at=7201).look_again == timedelta(seconds=299)


def test_a_refusal_that_is_still_to_be_told_is_told_now():
    refused = job(Stage.ROLLOUT, pods_refused="exceeded quota")
    told = status_of(decided(resource(status_at(Stage.ROLLOUT), pendingDeadlineSeconds=300), [refused]))
    far = datetime.max.replace(tzinfo=UTC)
    ahead = changed(told, conditions=[changed(each, last_transition_time=far) for each in told.conditions])
    decision = decided(resource(ahead, pendingDeadlineSeconds=300), [refused], at=7200)
    assert decision.look_again == timedelta(seconds=300)
    assert {each.last_transition_time for each in status_of(decision).conditions} == {after(7200)}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"node": None, "unschedulable": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."},
            "3 Insufficient nvidia.com/gpu.; free or add capacity, or relax the pod's constraints",
        ),
        (
            {"waiting": Waiting("ImagePullBackOff", "no such image")},
            "ImagePullBackOff no such image; correct the image or its pull secret",
        ),
    ],
)
def test_the_message_names_what_kept_them_and_no_way_on_for_a_run_that_has_ended(fields, words):
    waiting = pod(ROLLOUT, phase=PENDING, **fields)
    decision = decided(
        resource(status_at(Stage.ROLLOUT), pendingDeadlineSeconds=300), [ROLLOUT], [waiting], at=301
    )
    assert said_of(decision, ConditionType.SUCCEEDED).message.endswith(
        f"{words}; free or add capacity, or raise spec.pendingDeadlineSeconds, and create a new ReflectionTraining"
    )


@pytest.mark.parametrize(
    ("fields", "at", "ends"),
    [
        ({"suspended": True}, 9000, False),
        ({"started_at": after(8000)}, 8299, False),
        ({"started_at": after(8000)}, 8300, True),
        ({"created_at": after(5000)}, 5299, False),
    ],
    ids=["held in a queue", "admitted late", "admitted and waited", "an attempt has its own time"],
)
def test_time_in_a_queue_is_not_pending(fields, at, ends):
    held = job(Stage.ROLLOUT, **fields)
    run = resource(status_at(Stage.ROLLOUT), pendingDeadlineSeconds=300)
    decision = decided(run, [held], [pod(held, phase=PENDING)], at=at)
    assert truth(decision, ConditionType.SUCCEEDED) == ("False" if ends else "Unknown")


def test_a_deadline_during_the_report_does_not_change_the_verdict():
    verdict = Verdict(succeeded=True, reason="Completed", message="learned")
    writing = job(Stage.REPORT)
    run = resource(status_at(Stage.REPORT, verdict=verdict), activeDeadlineSeconds=600)
    decision = decided(run, [writing], [pod(writing)], at=700)
    assert said_of(decision, ConditionType.SUCCEEDED).message == "learned"
    assert truth(decision, ConditionType.SUCCEEDED) == "True"
    assert decision.delete == (writing.name,)


def test_a_stage_that_ended_in_time_is_recorded_before_the_end():
    done = complete(Stage.VERIFY)
    run = resource(status_at(Stage.VERIFY), activeDeadlineSeconds=600)
    decision = decided(run, [done], [succeeded(done, attempts=8, failures=4)], at=601)
    assert status_of(decision).dataset.failures == 4
    assert created(decision) == []
    assert truth(decision, ConditionType.SUCCEEDED) == "False"
