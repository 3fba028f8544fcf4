"""Suspending and resuming, by us and by a queue."""

from __future__ import annotations

from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_api.status import Phase
from reflection_operator.reconcile.observed import PodPhase

from .builders import (
    after,
    complete,
    crashed,
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

TRAINING = job(Stage.TRAIN, 2, restarts=1)


def suspending():
    run = resource(status_at(Stage.TRAIN, 2, restarts=1), suspend=True)
    return decided(run, [TRAINING], [pod(TRAINING)])


def test_suspending_stops_the_job_and_keeps_the_count_of_restarts():
    decision = suspending()
    assert decision.delete == (TRAINING.name,)
    assert cursor_of(decision) == (1, Stage.TRAIN, 3, 1)
    assert created(decision) == []
    assert status_of(decision).restarts == 0
    assert truth(decision, ConditionType.SUSPENDED) == "False"
    assert truth(decision, ConditionType.RECONCILING) == "True"
    assert TRAINING.name in said_of(decision, ConditionType.READY).message


def test_it_rests_when_the_last_pod_is_gone():
    run = resource(status_of(suspending()), suspend=True)
    stopping = decided(run, [], [pod(TRAINING, deleting=True)])
    assert truth(stopping, ConditionType.SUSPENDED) == "False"
    rests = decided(run, [], [])
    assert truth(rests, ConditionType.SUSPENDED) == "True"
    assert truth(rests, ConditionType.READY) == "True"
    assert truth(rests, ConditionType.RECONCILING) == "absent"
    assert status_of(rests).phase is Phase.SUSPENDED
    assert told(rests) == ["Suspended"]
    assert created(rests) == []


def test_looking_again_does_not_use_up_attempts():
    run = resource(status_of(suspending()), suspend=True)
    for jobs in ([TRAINING], [job(Stage.TRAIN, 2, deleting=True)], []):
        decision = decided(run, jobs)
        assert cursor_of(decision) == (1, Stage.TRAIN, 3, 1)
        run = resource(status_of(decision), suspend=True)


def test_resuming_creates_the_next_attempt_uncounted():
    resting = status_of(decided(resource(status_of(suspending()), suspend=True), at=100))
    decision = decided(resource(resting), at=5000)
    assert created(decision) == [(1, Stage.TRAIN, 3, 1)]
    assert told(decision) == ["Resumed"]
    assert status_of(decision).start_time == after(5000)
    assert status_of(decision).restarts == 0


def test_resuming_before_the_pods_are_gone_waits_for_them():
    run = resource(status_of(suspending()))
    waiting = decided(run, [], [pod(TRAINING, deleting=True)])
    assert created(waiting) == []
    assert created(decided(resource(status_of(waiting)), [], [])) == [(1, Stage.TRAIN, 3, 1)]


def test_a_resource_created_suspended_starts_nothing():
    decision = decided(resource(suspend=True))
    assert (created(decision), cursor_of(decision)) == ([], (1, Stage.ROLLOUT, 1, 0))
    assert status_of(decision).start_time is None
    assert truth(decision, ConditionType.SUSPENDED) == "True"


def test_a_stage_that_was_complete_is_not_done_again():
    done = complete(Stage.ROLLOUT)
    decision = decided(
        resource(status_at(Stage.ROLLOUT), suspend=True), [done], [succeeded(done, attempts=8)]
    )
    assert (created(decision), cursor_of(decision)) == ([], (1, Stage.VERIFY, 1, 0))
    assert truth(decision, ConditionType.SUSPENDED) == "True"


def test_a_failure_before_the_suspension_counts():
    down = failed(Stage.TRAIN)
    decision = decided(resource(status_at(Stage.TRAIN), suspend=True), [down], [crashed(down)])
    assert (created(decision), cursor_of(decision)) == ([], (1, Stage.TRAIN, 2, 1))


def test_a_job_held_by_a_queue_is_shown_and_never_touched():
    held = job(Stage.ROLLOUT, suspended=True)
    run = resource(status_at(Stage.ROLLOUT))
    labels = {"kueue.x-k8s.io/queue-name": "gpus"}
    run = run.model_copy(update={"metadata": run.metadata.model_copy(update={"labels": labels})})
    decision = decided(run, [held])
    assert (decision.create, decision.delete) == ((), ())
    assert truth(decision, ConditionType.QUEUED) == "True"
    assert status_of(decision).phase is Phase.QUEUED
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason) == ("True", "QuotaWait")
    assert ready.message == (
        f"round 1 of 1, rollout: Job {held.name} is held by queue gpus; the run starts when the queue admits it"
    )
    assert told(decision) == ["Queued"]
    admitted = decided(
        resource(status_of(decision)), [job(Stage.ROLLOUT)], [pod(held, phase=PodPhase.PENDING)]
    )
    assert truth(admitted, ConditionType.QUEUED) == "False"
