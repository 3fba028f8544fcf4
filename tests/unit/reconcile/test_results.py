"""What the pods of a complete Job say, and how much of it is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.stages import Stage
from reflection_operator.reconcile.observed import PodPhase, Terminated
from reflection_operator.reconcile.results import count, headline, metrics_of, result_of, results, sound

from .builders import FOLDER, complete, decided, pod, resource, said, status_at, status_of, succeeded


def test_the_shards_of_a_rollout_are_added_up():
    job = complete(Stage.ROLLOUT, completions=2)
    parts = results(
        job, [succeeded(job, 1, prompts=3, attempts=24), succeeded(job, 0, prompts=2, attempts=16)]
    )
    assert metrics_of(Stage.ROLLOUT, parts) == {"prompts": 5, "attempts": 40}


def test_the_first_pod_speaks_for_a_training():
    job = complete(Stage.TRAIN, completions=2)
    parts = results(job, [succeeded(job, 1, reward=0.9), succeeded(job, 0, reward=0.4)])
    assert metrics_of(Stage.TRAIN, parts) == {"reward": 0.4}


def test_a_sum_without_all_of_its_shards_is_not_a_sum():
    job = complete(Stage.ROLLOUT, completions=2)
    assert results(job, [succeeded(job, 0, attempts=24)]) is None


def test_a_replaced_pod_does_not_count_beside_its_replacement():
    job = complete(Stage.ROLLOUT)
    end = Terminated(143, message=said(Stage.ROLLOUT, metrics={"attempts": 99}))
    lost = pod(job, phase=PodPhase.FAILED, disrupted="drained", terminated=end)
    assert metrics_of(Stage.ROLLOUT, results(job, [lost, succeeded(job, attempts=8)])) == {"attempts": 8}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0, 1e300])
def test_a_count_that_is_none(value):
    assert count({"failures": value}, "failures") is None


def test_metrics_that_json_cannot_hold_are_dropped():
    assert sound({"a": float("nan"), "b": float("inf"), "c": 1.0, "not a name": 2.0, "x" * 99: 3.0}) == {
        "c": 1.0
    }
    assert len(headline({f"m{number}": 1.0 for number in range(40)})) == 16


@given(st.text() | st.binary().map(lambda raw: raw.decode(errors="surrogateescape")))
def test_any_text_may_be_a_termination_message(message):
    job = complete(Stage.VERIFY)
    hostile = pod(job, phase=PodPhase.SUCCEEDED, terminated=Terminated(0, message=message))
    assert result_of(hostile, Stage.VERIFY) is None


def test_the_dataset_of_failures_in_the_status():
    job = complete(Stage.VERIFY)
    uri = f"{FOLDER}/round-1/verify"
    artifacts = [
        {"uri": f"{uri}/failures-00000-of-00001.parquet"},
        {"uri": f"{uri}/manifest.json", "sha256": "ab" * 32},
    ]
    message = said(Stage.VERIFY, metrics={"attempts": 80, "failures": 50, "correct": 30}, artifacts=artifacts)
    seen = pod(job, phase=PodPhase.SUCCEEDED, terminated=Terminated(0, message=message))
    dataset = status_of(decided(resource(status_at(Stage.VERIFY)), [job], [seen])).dataset
    assert dataset.to_dict() == {"uri": uri, "failures": 50, "attempts": 80, "sha256": "ab" * 32}


AUDIT = {"sample": 200, "flaky": 0, "gold": 180, "goldRefused": 0, "canaries": 199, "canariesAccepted": 0}


def test_the_audit_of_the_verifier_in_the_status():
    job = complete(Stage.VERIFY)
    message = said(Stage.VERIFY, metrics={"attempts": 80, "failures": 50}, audit=AUDIT)
    seen = pod(job, phase=PodPhase.SUCCEEDED, terminated=Terminated(0, message=message))
    status = status_of(decided(resource(status_at(Stage.VERIFY)), [job], [seen]))
    assert status.verifier.audit.to_dict() == AUDIT


EVALUATED = {
    "firstTryBase": 0.3, "firstTryTrained": 0.4, "firstTryLow": 0.05, "firstTryHigh": 0.15, "firstTryChange": 0.1,
    "secondTryBase": 0.5, "secondTryTrained": 0.8, "gain": 0.3, "gainLow": 0.2, "gainHigh": 0.4,
    "retryBase": 0.2, "retryTrained": 0.7, "retryLow": 0.4, "retryHigh": 0.6, "retryQuestions": 90, "retrySamples": 300,
    "questions": 100, "samples": 400, "fixedFailures": 300,
}  # fmt: skip


def test_the_figures_of_the_evaluation_in_the_status():
    job = complete(Stage.EVALUATE)
    run = resource(status_at(Stage.EVALUATE, metrics={"reward": 0.4}))
    status = status_of(decided(run, [job], [succeeded(job, **EVALUATED)]))
    assert status.evaluation.to_dict() == {
        "uri": f"{FOLDER}/round-1/evaluate/result.json",
        "firstTry": {
            "base": 0.3,
            "trained": 0.4,
            "change": 0.1,
            "interval": [0.05, 0.15],
            "questions": 100,
            "samples": 400,
        },
        "secondTry": {
            "base": 0.5,
            "trained": 0.8,
            "change": 0.3,
            "interval": [0.2, 0.4],
            "questions": 100,
            "samples": 400,
        },
        "retrySuccess": {
            "base": 0.2,
            "trained": 0.7,
            "change": 0.5,
            "interval": [0.4, 0.6],
            "questions": 90,
            "samples": 300,
        },
    }
    assert status.metrics == {"reward": 0.4}
    assert status.verdict.message == (
        "second try 0.500 -> 0.800, change +0.300 [+0.200, +0.400]; first try 0.300 -> 0.400, change +0.100 [+0.050, +0.150]; "
        "retry after a reflection 0.200 -> 0.700, change +0.500 [+0.400, +0.600]"
    )


@pytest.mark.parametrize("change", [{"secondTryBase": 7.0}, {"gainLow": -4.0}, {"questions": -1.0}])
def test_a_figure_that_is_no_fraction_is_left_out(change):
    job = complete(Stage.EVALUATE)
    figures = EVALUATED | change
    status = status_of(decided(resource(status_at(Stage.EVALUATE)), [job], [succeeded(job, **figures)]))
    assert status.evaluation.second_try is None or status.evaluation.second_try.questions == 0
