"""Events: one per change, told from the statuses before and after it."""

from __future__ import annotations

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
    run = resource(status_at(Stage.VERIFY), training={"gpusPerNode": 8, "strategy": "fsdp"})
    decision = decided(run, [done], [succeeded(done, attempts=143201, failures=96114)])
    assert texts(decision) == [
        f"Normal FailuresDatasetWritten: 143,201 attempts, 96,114 failures (67%) -> {FOLDER}/round-1/verify",
        "Normal TrainingStarted: round 1 of 1: 1 node x 8 GPUs, fsdp, 1,000 steps",
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
