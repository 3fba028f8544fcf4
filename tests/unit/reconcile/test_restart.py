"""Restarts: counted or not, how long to wait, and when to give up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.stages import Stage
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.failure import Failure
from reflection_operator.reconcile.restart import MAX_BACKOFF, backoff

from .builders import (
    FOLDER,
    after,
    complete,
    crashed,
    created,
    cursor_of,
    decided,
    failed,
    look,
    pod,
    resource,
    said,
    said_of,
    status_at,
    status_of,
    told,
    truth,
)

CRASH = Failure(Reason.TRAINER_CRASHED, "", exit_code=1)
AWAY = Failure(Reason.STORAGE_UNAVAILABLE, "", exit_code=75)
DISRUPTED = Failure(Reason.DISRUPTED, "", exit_code=143)


@pytest.mark.parametrize(
    ("failure", "waits"),
    [
        (CRASH, [10, 20, 40, 80, 160, 300, 300]),
        (AWAY, [60, 120, 240, 300, 300]),
        (DISRUPTED, [10, 10, 10]),
    ],
)
def test_the_wait_doubles_up_to_five_minutes(failure, waits):
    assert [backoff(failure, number).total_seconds() for number in range(1, len(waits) + 1)] == waits
    assert backoff(failure, 10_000) <= MAX_BACKOFF


@pytest.mark.parametrize(
    ("end", "next_cursor", "wait"),
    [
        ({"code": 1}, (1, Stage.TRAIN, 3, 2), 20),
        ({"code": 137, "reason": "OOMKilled"}, (1, Stage.TRAIN, 3, 2), 20),
        ({"code": 75}, (1, Stage.TRAIN, 3, 2), 120),
        ({"code": 143, "disrupted": "drained"}, (1, Stage.TRAIN, 3, 1), 10),
    ],
)
def test_an_attempt_is_followed_by_the_next_after_a_wait(end, next_cursor, wait):
    down = failed(Stage.TRAIN, 2)
    run = resource(status_at(Stage.TRAIN, 2, restarts=1))
    decision = decided(run, [down], [crashed(down, end.pop("code"), **end)], at=3600)
    assert cursor_of(decision) == next_cursor
    assert created(decision) == []
    assert decision.look_again == timedelta(seconds=min(wait, 30))
    status = status_of(decision)
    assert (status.restarts, status.restarts_count_towards_max) == (1, next_cursor[3])
    waiting = resource(status)
    assert created(decided(waiting, [down], at=3600 + wait - 1)) == []
    assert created(decided(waiting, [down], at=3600 + wait)) == [next_cursor]


@pytest.mark.parametrize("code", [65, 70, 78])
def test_what_would_only_fail_again_ends_the_run(code):
    down = failed(Stage.ROLLOUT)
    message = said(Stage.ROLLOUT, "Failed", "InvalidPrompts", "train.jsonl:3: row has no target")
    decision = decided(resource(status_at(Stage.ROLLOUT)), [down], [crashed(down, code, message=message)])
    succeeded = said_of(decision, ConditionType.SUCCEEDED)
    assert (succeeded.status, succeeded.reason) == ("False", "InvalidPrompts")
    assert succeeded.message == (
        f"train.jsonl:3: row has no target (pod {down.name}-0-abcde on node node-1, exit {code}); "
        "correct the prompts file and create a new ReflectionTraining"
    )
    assert truth(decision, ConditionType.STALLED) == "True"
    assert truth(decision, ConditionType.READY) == "False"
    assert told(decision) == ["Failed"]
    assert created(decision) == []


@pytest.mark.parametrize(
    ("limit", "restarts", "ends"), [(0, 0, True), (1, 0, False), (3, 2, False), (3, 3, True)]
)
def test_the_limit_of_restarts(limit, restarts, ends):
    down = failed(Stage.TRAIN, 5)
    run = resource(status_at(Stage.TRAIN, 5, restarts=restarts), failurePolicy={"maxRestarts": limit})
    decision = decided(run, [down], [crashed(down, 1, message="ValueError: no")])
    assert truth(decision, ConditionType.SUCCEEDED) == ("False" if ends else "Unknown")


def test_an_unsound_verifier_ends_the_run_before_training():
    audit = {"sample": 200, "flaky": 0, "gold": 0, "goldRefused": 0, "canaries": 200, "canariesAccepted": 12}
    words = "the verifier accepted 12 of 200 canary answers that are wrong"
    job = failed(Stage.VERIFY)
    message = said(Stage.VERIFY, "Failed", "VerifierUnsound", words, audit=audit)
    decision = decided(resource(status_at(Stage.VERIFY)), [job], [crashed(job, 65, message=message)])
    ended = said_of(decision, ConditionType.SUCCEEDED)
    assert (ended.status, ended.reason) == ("False", "VerifierUnsound")
    assert ended.message.startswith(words)
    assert ended.message.endswith("; correct the verifier and create a new ReflectionTraining")
    assert created(decision) == []
    assert status_of(decision).verifier.audit.to_dict() == audit


def test_the_limit_quotes_the_last_failure():
    down = failed(Stage.TRAIN, 5)
    run = resource(status_at(Stage.TRAIN, 5, restarts=3))
    decision = decided(run, [down], [crashed(down, 1, message="ValueError: no")])
    succeeded = said_of(decision, ConditionType.SUCCEEDED)
    assert succeeded.reason == "MaxRestartsReached"
    assert succeeded.message == (
        f"train of round 1 failed 4 times and maxRestarts is 3; the last time TrainerCrashed: pod {down.name}-0-abcde on node "
        "node-1 ended with exit code 1: ValueError: no; see the log of the pod; mend the cause in the message and "
        "create a new ReflectionTraining"
    )


def test_whoever_carries_the_decision_out_says_how_to_begin_again():
    down = failed(Stage.ROLLOUT)
    message = said(Stage.ROLLOUT, "Failed", "InvalidPrompts", "train.jsonl:3: row has no target")
    seen = look(resource(status_at(Stage.ROLLOUT)), [down], [crashed(down, 65, message=message)])
    decision = decide(replace(seen, begin_again="run the same command again"))
    words = said_of(decision, ConditionType.SUCCEEDED).message
    assert words.endswith("; correct the prompts file and run the same command again")
    assert decision.events[-1].message == f"InvalidPrompts: {words}"


@pytest.mark.parametrize("reason", Reason)
def test_no_remedy_asks_for_a_new_resource_where_there_is_none(reason):
    for words in (MEANINGS[reason].remedy_with, MEANINGS[reason].cure):
        assert "new ReflectionTraining" not in words("run the same command again")


@pytest.mark.parametrize(
    ("reason", "code"),
    [("DatasetEmpty", 65), ("ArtifactCorrupt", 65), ("DatasetMismatch", 78), ("StorageDenied", 78)],
)
def test_the_end_of_a_run_that_nothing_revives_says_how_to_begin_again(reason, code):
    down = failed(Stage.TRAIN)
    decision = decided(
        resource(status_at(Stage.TRAIN)),
        [down],
        [crashed(down, code, message=said(Stage.TRAIN, "Failed", reason, "what it is"))],
    )
    ended = said_of(decision, ConditionType.SUCCEEDED)
    assert (ended.status, ended.reason) == ("False", reason)
    assert ended.message.endswith(" and create a new ReflectionTraining")


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("StorageDenied", "grant the permission named in the message"),
        ("StorageUnavailable", "bring the storage back"),
    ],
)
def test_behind_the_limit_of_restarts_nothing_is_said_twice_or_to_go_on(reason, cure):
    down = failed(Stage.TRAIN, 5)
    message = said(Stage.TRAIN, "Failed", reason, "no answer")
    run = resource(status_at(Stage.TRAIN, 5, restarts=3))
    ended = said_of(decided(run, [down], [crashed(down, 75, message=message)]), ConditionType.SUCCEEDED)
    assert ended.reason == "MaxRestartsReached"
    assert ended.message.endswith(
        f"exit 75); {cure}; mend the cause in the message and create a new ReflectionTraining"
    )


def test_disruptions_never_end_a_run():
    down = failed(Stage.TRAIN, 500)
    run = resource(status_at(Stage.TRAIN, 500, restarts=3))
    decision = decided(run, [down], [crashed(down, 137, disrupted="preempted")])
    assert cursor_of(decision) == (1, Stage.TRAIN, 501, 3)
    assert not status_of(decision).attempts[-1].counted


def test_the_record_of_an_attempt():
    down = failed(Stage.TRAIN, 2)
    run = resource(status_at(Stage.TRAIN, 2))
    decision = decided(run, [down], [crashed(down, 137, 3, at=50, reason="OOMKilled", node="gpu-7")])
    assert status_of(decision).attempts[-1].to_dict() == {
        "round": 1,
        "stage": "train",
        "attempt": 2,
        "reason": "OutOfMemory",
        "message": f"pod {down.name}-3-abcde on node gpu-7 was killed for using too much memory (exit 137, out of memory)",
        "exitCode": 137,
        "pod": f"{down.name}-3-abcde",
        "node": "gpu-7",
        "counted": True,
        "finishedAt": "2026-08-01T12:00:50Z",
    }


def test_only_the_last_five_attempts_are_kept():
    run = resource(status_at(Stage.TRAIN, 1), failurePolicy={"maxRestarts": 100})
    for attempt in range(1, 9):
        down = failed(Stage.TRAIN, attempt)
        run = resource(status_of(decided(run, [down], [crashed(down)])), failurePolicy={"maxRestarts": 100})
    assert [each.attempt for each in run.status.attempts] == [4, 5, 6, 7, 8]
    assert run.status.restarts == 8


def test_the_event_says_what_happened_what_is_kept_and_what_is_left():
    down = failed(Stage.TRAIN)
    checkpoint = {"uri": f"{FOLDER}/round-1/train/checkpoint-200", "step": 200, "saved_at": after(0)}
    run = resource(status_at(Stage.TRAIN, checkpoint=checkpoint))
    decision = decided(run, [down], [crashed(down, 137, reason="OOMKilled", node="gpu-7")])
    (event,) = decision.events
    assert (event.type, event.reason) == ("Warning", "AttemptRestarted")
    assert event.message == (
        f"pod {down.name}-0-abcde on node gpu-7 was killed for using too much memory (exit 137, out of memory); "
        "attempt 2 resumes from step 200 of 1000; restart 1 of 3"
    )


def test_the_restarts_of_one_stage_are_not_those_of_the_next():
    done = complete(Stage.ROLLOUT, 4)
    decision = decided(resource(status_at(Stage.ROLLOUT, 4, restarts=3)), [done])
    assert cursor_of(decision) == (1, Stage.VERIFY, 1, 0)


def test_a_clock_that_was_set_back_does_not_prolong_the_wait():
    down = failed(Stage.TRAIN)
    waiting = resource(
        status_of(decided(resource(status_at(Stage.TRAIN)), [down], [crashed(down)], at=86_400))
    )
    assert created(decided(waiting, [down], at=60)) == [(1, Stage.TRAIN, 2, 1)]


def test_the_next_attempt_waits_for_the_last_pod_of_the_failed_one():
    down = failed(Stage.TRAIN, completions=2)
    run = resource(status_at(Stage.TRAIN, 2, restarts=1))
    stopping = [crashed(down), crashed(down, 143, 1)]
    assert created(decided(run, [down], stopping)) == [(1, Stage.TRAIN, 2, 1)]
    decision = decided(run, [down], [crashed(down), pod(down, 1, deleting=True)])
    assert created(decision) == []
    assert decision.look_again == timedelta(seconds=30)
