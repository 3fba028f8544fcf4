"""Why an attempt failed: the pod that failed first, its reason and its words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.reasons import MEANINGS, Fault, Reason
from reflection_api.stages import Stage
from reflection_operator.reconcile.failure import diagnose
from reflection_operator.reconcile.observed import ObservedPod, PodPhase, Terminated

from .builders import crashed, failed, pod, said, succeeded

TRAIN, ROLLOUT = failed(Stage.TRAIN), failed(Stage.ROLLOUT)
EVICTED = "EvictionByEvictionAPI: node drain"
PREFIX = TRAIN.name


@pytest.mark.parametrize(
    ("job", "end", "reason", "message", "final"),
    [
        (
            TRAIN,
            {"code": 137, "reason": "OOMKilled"},
            "OutOfMemory",
            f"pod {PREFIX}-0-abcde on node node-1 was killed for using too much memory (exit 137, out of memory)",
            False,
        ),
        (
            TRAIN,
            {"code": 139},
            "TrainerCrashed",
            f"pod {PREFIX}-0-abcde on node node-1 was killed by SIGSEGV (exit 139)",
            False,
        ),
        (
            TRAIN,
            {"code": 1, "message": "step 3\nValueError: no\n\n"},
            "TrainerCrashed",
            f"pod {PREFIX}-0-abcde on node node-1 ended with exit code 1: ValueError: no",
            False,
        ),
        (
            TRAIN,
            {"code": 255},
            "TrainerCrashed",
            f"pod {PREFIX}-0-abcde on node node-1 ended with exit code 255",
            False,
        ),
        (
            ROLLOUT,
            {
                "code": 65,
                "message": said(Stage.ROLLOUT, "Failed", "InvalidPrompts", "train.jsonl:3: no target"),
            },
            "InvalidPrompts",
            f"train.jsonl:3: no target (pod {ROLLOUT.name}-0-abcde on node node-1, exit 65)",
            True,
        ),
        (
            ROLLOUT,
            {"code": 70},
            "RolloutCrashed",
            f"pod {ROLLOUT.name}-0-abcde on node node-1 ended with exit code 70",
            True,
        ),
        (
            ROLLOUT,
            {"code": 75, "message": said(Stage.ROLLOUT, "Failed", "StorageUnavailable", "s3 is away")},
            "StorageUnavailable",
            f"s3 is away (pod {ROLLOUT.name}-0-abcde on node node-1, exit 75)",
            False,
        ),
        (
            TRAIN,
            {"code": 143, "disrupted": EVICTED},
            "Disrupted",
            f"pod {PREFIX}-0-abcde on node node-1 was taken away by the platform ({EVICTED})",
            False,
        ),
        (
            TRAIN,
            {"code": 78, "disrupted": EVICTED},
            "Disrupted",
            f"pod {PREFIX}-0-abcde on node node-1 was taken away by the platform ({EVICTED})",
            False,
        ),
    ],
)
def test_one_failed_pod(job, end, reason, message, final):
    failure = diagnose(job, [crashed(job, end.pop("code"), **end)])
    assert failure.reason == reason
    assert failure.message == message
    assert failure.final is final
    assert failure.counted is (reason != "Disrupted")
    assert (failure.pod, failure.node) == (f"{job.name}-0-abcde", "node-1")


def test_a_pod_that_was_evicted_over_a_limit_of_its_own():
    words = 'Usage of EmptyDir volume "work" exceeds the limit "1Mi".'
    failure = diagnose(TRAIN, [replace(crashed(TRAIN, 137), reason="Evicted", message=f"{words} ")])
    assert failure.reason == "StorageFull"
    assert failure.message == (
        f"pod {PREFIX}-0-abcde on node node-1 was evicted ({words}); raise the sizeLimit of the volume, or "
        "ephemeral-storage, in spec.pods"
    )
    assert failure.counted
    assert not failure.final


@pytest.mark.parametrize(
    ("stage", "pods", "index", "why"),
    [
        (Stage.TRAIN, [(1, 61, {}), (1, 60, {})], 1, "the earliest"),
        (
            Stage.TRAIN,
            [(143, 60, {}), (1, 60, {})],
            1,
            "at the same second, not the one that was told to stop",
        ),
        (
            Stage.TRAIN,
            [(1, 60, {}), (78, 60, {"message": said(Stage.TRAIN, "Failed", "InvalidModel", "bad")})],
            1,
            "at the same second, the one that says why",
        ),
        (
            Stage.TRAIN,
            [(1, 50, {}), (143, 60, {"disrupted": EVICTED})],
            1,
            "in a training, the disrupted one, though its peers died sooner",
        ),
        (
            Stage.ROLLOUT,
            [(143, 50, {"disrupted": EVICTED}), (1, 60, {})],
            1,
            "elsewhere a disrupted pod was replaced and is not why the Job failed",
        ),
        (Stage.ROLLOUT, [(143, 50, {"disrupted": EVICTED}), (0, 60, {})], 0, "unless nothing else failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_pod_failed_first(stage, pods, index, why):
    job = failed(stage, completions=len(pods))
    seen = [
        succeeded(job, number) if code == 0 else crashed(job, code, number, at=at, **fields)
        for number, (code, at, fields) in enumerate(pods)
    ]
    assert diagnose(job, seen).pod == seen[index].name, why
    assert diagnose(job, seen[::-1]).pod == seen[index].name, why


def test_a_pod_that_failed_before_its_container_started():
    refused = pod(TRAIN, phase=PodPhase.FAILED, reason="UnexpectedAdmissionError", message="no GPU left")
    failure = diagnose(TRAIN, [refused])
    assert failure.reason == "TrainerCrashed"
    assert failure.message.endswith(
        "failed before its container started (UnexpectedAdmissionError no GPU left)"
    )


@pytest.mark.parametrize(
    ("words", "reason", "code", "final"),
    [
        ("Job has reached the specified backoff limit", "TrainerCrashed", None, False),
        (
            "Container stage for pod ml/x failed with exit code 78 matching FailJob rule at index 0",
            "TrainerCrashed",
            78,
            True,
        ),
        (
            "Pod ml/x has condition DisruptionTarget matching FailJob rule at index 1",
            "Disrupted",
            None,
            False,
        ),
    ],
)
def test_the_job_alone_when_its_pods_are_gone(words, reason, code, final):
    failure = diagnose(failed(Stage.TRAIN, message=words), [])
    assert (failure.reason, failure.exit_code, failure.final) == (reason, code, final)
    assert "its pods are gone" in failure.message


@pytest.mark.parametrize(
    "message",
    [
        said(Stage.VERIFY, "Failed", "InvalidPrompts", "of another stage"),
        said(Stage.ROLLOUT, "Failed", "Succeeded"),
        said(Stage.ROLLOUT, "Succeeded", "Completed", "then it died"),
        '{"stage": "rollout", "outcome": "Failed"',
        "[" * 4000,
        said(Stage.ROLLOUT, "Failed", "InvalidPrompts", "x" * 5000),
    ],
)
def test_a_termination_message_that_is_no_result_decides_nothing(message):
    assert diagnose(ROLLOUT, [crashed(ROLLOUT, 65, message=message)]).reason == Reason.ROLLOUT_CRASHED


@pytest.mark.parametrize("reason", ["Completed", "Disrupted", "Accepted", "MadeUp", ""])
def test_a_result_cannot_claim_a_reason_that_is_no_failure_of_its_own(reason):
    message = said(Stage.ROLLOUT, "Failed", reason, "so it says")
    failure = diagnose(ROLLOUT, [crashed(ROLLOUT, 1, message=message)])
    assert failure.reason == Reason.ROLLOUT_CRASHED
    assert failure.counted


@given(st.text(), st.text(), st.text(), st.integers(-(2**31), 2**31), st.none() | st.text())
def test_hostile_words_stay_on_one_bounded_line(message, reason, node, code, disrupted):
    end = Terminated(exit_code=code, reason=reason, message=message)
    hostile = ObservedPod(
        "p" * 300, TRAIN.name, phase=PodPhase.FAILED, node=node, disrupted=disrupted, terminated=end
    )
    failure = diagnose(TRAIN, [hostile])
    assert len(failure.message.encode()) <= 900
    assert failure.message.isprintable()
    assert MEANINGS[failure.reason].fault is not Fault.NONE
