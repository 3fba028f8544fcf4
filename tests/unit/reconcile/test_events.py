"""Events: one per change, told from the statuses before and after it."""

from __future__ import annotations

import pytest
from reflection_api.stages import Stage
from reflection_operator.reconcile.events import events

from .builders import (
    FOLDER,
    complete,
    crashed,
    decided,
    failed,
    job,
    pod,
    resource,
    status_at,
    status_of,
    succeeded,
    told,
)


def texts(decision):
    return [f"{event.type} {event.reason}: {event.message}" for event in decision.events]


def test_what_a_reader_of_describe_sees():
    run = resource(rollout={"workers": 4}, training={"gpusPerNode": 8})
    assert texts(decided(run)) == [
        "Normal Accepted: generation 1 accepted; round 1 of 1",
        "Normal RolloutJobCreated: round 1 of 1: 4 workers, 8 attempts per prompt",
    ]
    done = complete(Stage.ROLLOUT)
    decision = decided(resource(status_at(Stage.ROLLOUT)), [done], [succeeded(done, attempts=143201)])
    assert texts(decision) == [
        "Normal RolloutsComplete: 143,201 answers",
        "Normal VerifyJobCreated: round 1 of 1: verifier countdown",
    ]
    done = complete(Stage.VERIFY)
    run = resource(status_at(Stage.VERIFY), training={"gpusPerNode": 8})
    decision = decided(run, [done], [succeeded(done, attempts=143201, failures=96114)])
    assert texts(decision) == [
        f"Normal FailuresDatasetWritten: 143,201 attempts, 96,114 failures (67%) -> {FOLDER}/round-1/verify",
        "Normal TrainingStarted: round 1 of 1: 1 node x 8 GPUs, 1000 steps",
    ]


def test_the_figures_of_an_evaluation_are_told():
    done = complete(Stage.EVALUATE)
    figures = {"secondTryBase": 0.5, "secondTryTrained": 0.8, "gain": 0.3, "gainLow": 0.2, "gainHigh": 0.4}
    decision = decided(
        resource(status_at(Stage.EVALUATE)), [done], [succeeded(done, questions=10, samples=40, **figures)]
    )
    assert texts(decision) == [
        "Normal EvaluationComplete: second try 0.500 -> 0.800 (+0.300 [+0.200, +0.400]); "
        f"{FOLDER}/round-1/evaluate/result.json",
        "Normal ReportJobCreated: the report is being written",
    ]


LIMIT = "spec.task.prompts.limit is 5000, train.jsonl has 81 rows: all are used"
DROPPED = "failures left out because an equal one is kept (spec.task.failures.deduplicate): 3"
TOO_LONG = "4 second tries count as wrong because their conversation has no room in the model's context"


def test_what_a_stage_wants_known_is_told_once_however_many_workers_say_it():
    done = complete(Stage.ROLLOUT, completions=2)
    pods = [succeeded(done, index, LIMIT, attempts=300) for index in range(2)]
    decision = decided(resource(status_at(Stage.ROLLOUT), rollout={"workers": 2}), [done], pods)
    assert texts(decision)[0] == f"Normal RolloutsComplete: 600 answers; {LIMIT}"
    assert status_of(decision).note.to_dict() == {"round": 1, "stage": "rollout", "text": LIMIT}

    done = complete(Stage.VERIFY)
    before = status_of(decision)
    decision = decided(
        resource(before, rollout={"workers": 2}), [done], [succeeded(done, attempts=600, failures=6)]
    )
    assert not any(LIMIT in text for text in texts(decision))


@pytest.mark.parametrize(
    ("stage", "reason", "note"),
    [
        (Stage.VERIFY, "FailuresDatasetWritten", DROPPED),
        (Stage.TRAIN, "TrainingComplete", "2 of 80 failures are left out"),
        (Stage.EVALUATE, "EvaluationComplete", TOO_LONG),
    ],
)
def test_every_stage_can_want_something_known(stage, reason, note):
    done = complete(stage)
    pod_ = succeeded(done, 0, note, attempts=80, failures=50)
    decision = decided(resource(status_at(stage)), [done], [pod_])
    [text] = [text for text in texts(decision) if note in text]
    assert text.startswith(f"Normal {reason}: ")
    assert text.endswith(f"; {note}")


def test_what_another_stage_said_is_not_told_of_this_one():
    """Where the status was lost, several conditions become true at once."""
    done = complete(Stage.VERIFY)
    decision = decided(resource(), [done], [succeeded(done, 0, DROPPED, attempts=80, failures=50)])
    told_of = {event.reason: event.message for event in decision.events}
    assert told_of["RolloutsComplete"] == "80 answers"
    assert told_of["FailuresDatasetWritten"].endswith(DROPPED)


def test_the_words_of_a_pod_cannot_forge_lines_or_fill_the_status():
    done = complete(Stage.ROLLOUT, completions=3)
    pods = [succeeded(done, index, f"{index}\n\u202e" + "x" * 900, attempts=1) for index in range(3)]
    decision = decided(resource(status_at(Stage.ROLLOUT), rollout={"workers": 3}), [done], pods)
    text = status_of(decision).note.text
    assert len(text) == 512
    assert text.startswith("0 xxx")


def test_nothing_is_told_twice():
    down = failed(Stage.TRAIN)
    for jobs, pods, status in (
        ([], [], None),
        ([down], [crashed(down)], status_at(Stage.TRAIN)),
        ([job(Stage.TRAIN)], [pod(job(Stage.TRAIN))], status_at(Stage.TRAIN)),
    ):
        first = decided(resource(status), jobs, pods)
        assert told(decided(resource(status_of(first)), jobs, pods)) == []


def test_events_follow_from_the_statuses_alone():
    down = failed(Stage.TRAIN)
    before = status_at(Stage.TRAIN)
    decision = decided(resource(before), [down], [crashed(down)])
    assert events(resource(), before, status_of(decision)) == decision.events


def test_a_message_fits_into_an_event():
    down = failed(Stage.TRAIN)
    decision = decided(resource(status_at(Stage.TRAIN)), [down], [crashed(down, 78, message="\u00e4" * 4000)])
    assert all(len(event.message.encode()) <= 1000 for event in decision.events)
