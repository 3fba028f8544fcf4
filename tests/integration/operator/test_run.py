"""A run from `apply` to its end on a real API server, with the real Job controller. The test is the kubelet."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from reflection_api.reasons import MEANINGS, Fault, Reason
from reflection_operator.kube.api import FIELD_MANAGER

from ...support.cluster import Cluster, Obj, until
from ...support.kubelet import (
    FAILED_MOUNT,
    End,
    Kubelet,
    Script,
    Wait,
    attempt_of,
    failed,
    run_on,
    stage_of,
    train_on,
)
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish

STAGES = ("rollout", "verify", "train", "evaluate", "report")


def test_what_the_operator_writes_is_known_to_be_its_own(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    operator.start()
    run.apply()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    fields = run.get()["metadata"]["managedFields"]
    assert {each["manager"] for each in fields if each.get("subresource") == "status"} == {FIELD_MANAGER}
    (job,) = run.jobs()
    assert FIELD_MANAGER in {each["manager"] for each in job["metadata"]["managedFields"]}


def waits(cluster: Cluster, run: Run) -> subprocess.Popen[str]:
    """A kubectl that waits for the success of a run, from now on."""
    which = ("-n", run.namespace, f"rt/{run.name}", "--timeout=180s")
    started = cluster.start_kubectl("wait", "--for=condition=Succeeded", *which, "-v=6")
    assert started.stderr is not None
    assert any("watch=true" in line for line in started.stderr), "it ended before it watched anything"
    return started


def test_a_run_succeeds(run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster) -> None:
    kubelet.script = train_on
    operator.start()
    run.apply()
    until(lambda: run.status.get("phase") == "Training", "training", meanwhile=kubelet.tick)
    with waits(cluster, run) as waiting:
        assert waiting.poll() is None
        finish(run, kubelet)
        words, _ = waiting.communicate(timeout=180)
    assert (waiting.returncode, words.split("/")[-1]) == (0, "countdown condition met\n")

    assert sorted(run.job_names()) == sorted(f"{stage}-1" for stage in STAGES)
    status = run.status
    assert (status["phase"], status["restarts"], status["observedGeneration"]) == ("Succeeded", 0, 1)
    assert run.condition("Succeeded")["reason"] == "Completed"
    assert "second try 0.400 -> 0.600" in run.condition("Succeeded")["message"]
    assert run.condition("Ready")["status"] == "True"
    assert [run.condition(kind)["status"] for kind in ("Reconciling", "Stalled")] == ["Absent", "Absent"]
    assert (status["dataset"]["failures"], status["dataset"]["attempts"]) == (500, 800)
    assert status["evaluation"]["secondTry"]["change"] == pytest.approx(0.2)
    assert len(json.dumps(status)) < 10_000
    run.told("Succeeded")
    assert [reason for reason, _ in run.events()] == [
        "Accepted", "RolloutJobCreated", "RolloutsComplete", "VerifyJobCreated", "FailuresDatasetWritten",
        "TrainingStarted", "TrainingComplete", "EvaluationJobCreated", "EvaluationComplete", "ReportJobCreated",
        "ReportWritten", "Succeeded",
    ]  # fmt: skip
    later = cluster.kubectl(
        "wait", "-n", run.namespace, "--for=condition=Succeeded", "rt/countdown", "--timeout=5s"
    )
    assert later.returncode == 0, later.stderr
    assert operator.stop() == 0


def test_kubectl_waits_for_ready_while_the_run_goes_on(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    kubelet.script = run_on
    operator.start()
    run.apply()
    waited = cluster.kubectl(
        "wait", "-n", run.namespace, "--for=condition=Ready", "rt/countdown", "--timeout=30s"
    )
    assert waited.returncode == 0, waited.stderr
    until(lambda: run.status["phase"] == "Rollout", "rollout", meanwhile=kubelet.tick)
    listed = cluster.kubectl("get", "-n", run.namespace, "rt")
    assert listed.stdout.split()[:6] == ["NAME", "STATUS", "STAGE", "PROGRESS", "REWARD", "RESTARTS"]
    assert listed.stdout.splitlines()[1].split()[:3] == ["countdown", "Rollout", "rollout"]


def at(stage: str, code: int, reason: str, message: str) -> Script:
    """All goes well up to this stage, which says why it cannot go on."""
    return lambda pod: failed(stage, code, reason, message) if stage_of(pod) == stage else End()


FAILURES: list[tuple[str, dict[str, Any], Any, str]] = [
    ("InvalidPrompts", {}, failed("rollout", 65, "InvalidPrompts", "train.jsonl:3: no target"), "train.jsonl:3"),
    ("InvalidModel", {}, failed("rollout", 78, "InvalidModel", "config.json: no such file"), "config.json"),
    ("InvalidTemplate", {}, at("rollout", 78, "InvalidTemplate", "unknown variable"), "unknown variable"),
    ("DatasetEmpty", {}, at("rollout", 65, "DatasetEmpty", "the file has no rows"), "the file has no rows"),
    ("StorageDenied", {}, at("rollout", 78, "StorageDenied", "access denied (403)"), "access denied (403)"),
    ("VerifierUnsound", {}, at("verify", 65, "VerifierUnsound", "3 of 200 differ"), "3 of 200 differ"),
    ("DatasetMismatch", {}, at("train", 78, "DatasetMismatch", "model.sha256"), "model.sha256"),
    ("ArtifactCorrupt", {}, at("train", 65, "ArtifactCorrupt", "no complete dataset"), "no complete dataset"),
    ("PolicyStale", {}, at("train", 70, "PolicyStale", "the generator is behind"), "the generator is behind"),
    ("GateFailed", {"spec__evaluation": {"gates": {"minGain": 0.5}}}, End(), "gained +0.200, and ... minGain is 0.5"),
    (
        "MaxRestartsReached",
        {"spec__failurePolicy": {"maxRestarts": 0}},
        End(1, "Traceback\nValueError: shapes do not match"),
        "failed once and maxRestarts is 0; the last time RolloutCrashed: pod countdown- ... ValueError: shapes do not match",
    ),
    (
        "MaxRestartsReached",
        {"spec__failurePolicy": {"maxRestarts": 0}},
        End(137, reason="OOMKilled"),
        "on node node-1 was killed for using too much memory (exit 137, out of memory); raise the memory limit in spec.pods",
    ),
    (
        "MaxRestartsReached",
        {"spec__failurePolicy": {"maxRestarts": 0}},
        failed("rollout", 75, "StorageUnavailable", "s3://team: connection refused"),
        "s3://team: connection refused",
    ),
    (
        "PendingDeadlineExceeded",
        {"spec__pendingDeadlineSeconds": 3},
        Wait("ErrImagePull", "manifest unknown"),
        "ErrImagePull manifest unknown",
    ),
    ("DeadlineExceeded", {"spec__activeDeadlineSeconds": 1}, None, "active for 1 s"),
]  # fmt: skip


LAST_ATTEMPTS = [
    ("StorageUnavailable", failed("rollout", 75, "StorageUnavailable", "s3://team: connection refused")),
    ("StorageFull", failed("rollout", 75, "StorageFull", "no space left on device")),
    ("StorageConflict", at("verify", 75, "StorageConflict", "another writer was faster")),
    ("DependencyUnavailable", at("verify", 75, "DependencyUnavailable", "the verifier does not answer")),
    ("OutOfMemory", End(137, reason="OOMKilled")),
    ("RolloutCrashed", End(1, "Traceback")),
    ("VerifyCrashed", lambda pod: End(1, "Traceback") if stage_of(pod) == "verify" else End()),
    ("TrainerCrashed", lambda pod: End(139) if stage_of(pod) == "train" else End()),
    ("EvaluationCrashed", lambda pod: End(1, "Traceback") if stage_of(pod) == "evaluate" else End()),
]
"""Why an attempt failed that could have been tried again, and is not because of maxRestarts."""

HINDRANCES = [
    ("ImagePullFailed", Wait("ImagePullBackOff", 'image "trainer:typo" not found')),
    ("SecretNotFound", Wait("CreateContainerConfigError", 'secret "hf-token" not found')),
    ("PodConfigInvalid", Wait("CreateContainerConfigError", 'configmap "mine" not found')),
    (
        "SecretNotFound",
        Wait(FAILED_MOUNT, 'MountVolume.SetUp failed for volume "reflect-ca" : secret "minio-ca" not found'),
    ),
    (
        "PodConfigInvalid",
        Wait(FAILED_MOUNT, 'MountVolume.SetUp failed for volume "mine" : configmap "mine" not found'),
    ),
    ("Unschedulable", Wait("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu")),
]

ELSEWHERE = {
    "InvalidSpec": "test_it_is_stalled_with_field_value_and_remedy_until_it_is_mended",
    "ChildRefused": "test_a_foreign_object_in_the_way_is_named_and_not_touched",
    "QuotaWait": "test_a_job_held_by_a_queue_is_shown_and_left_alone",
    "Disrupted": "test_a_crash_is_tried_again_and_a_disruption_is_not_counted",
    "ReportCrashed": "test_a_report_that_cannot_be_written_does_not_undo_a_success",
    "CleanupCrashed": "test_a_clean_up_that_cannot_go_on_says_why_and_is_tried_again",
}


def test_every_reason_for_which_something_does_not_go_on_is_seen() -> None:
    seen = {reason for reason, *_ in [*FAILURES, *LAST_ATTEMPTS, *HINDRANCES]} | set(ELSEWHERE)
    assert {str(reason) for reason in Reason if MEANINGS[reason].fault is not Fault.NONE} == seen
    here = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in here] == []


@pytest.mark.parametrize(("reason", "act"), LAST_ATTEMPTS, ids=[case[0] for case in LAST_ATTEMPTS])
def test_a_last_attempt_fails(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, reason: str, act: Any
) -> None:
    kubelet.script = act if callable(act) else lambda _: act
    operator.start()
    run.apply(spec__failurePolicy={"maxRestarts": 0})
    until(lambda: run.is_now("Succeeded", "False"), "end of the run", meanwhile=kubelet.tick)
    assert run.is_now("Stalled", "True", "MaxRestartsReached")
    assert run.status["attempts"][-1]["reason"] == reason


@pytest.mark.parametrize(
    ("reason", "fields", "act", "words"), FAILURES, ids=[f"{case[0]}-{n}" for n, case in enumerate(FAILURES)]
)
def test_a_run_fails(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster,
    reason: str, fields: Obj, act: Any, words: str,
) -> None:  # fmt: skip
    kubelet.script = act if callable(act) else lambda _: act
    operator.start()
    run.apply(**fields)
    end = until(lambda: run.is_now("Succeeded", "False"), "end of the run", meanwhile=kubelet.tick)
    assert (end["reason"], end["observedGeneration"]) == (reason, 1)
    assert all(part in end["message"] for part in words.split(" ... ")), end["message"]
    assert run.is_now("Stalled", "True", reason)
    assert run.is_now("Ready", "False", reason)
    assert run.status["phase"] == "Failed"
    assert reason in run.told("Failed")
    # Nothing of it goes on.
    until(
        lambda: not any(job["status"].get("active") for job in run.jobs()),
        "stillness",
        meanwhile=kubelet.tick,
    )
    # Where its status is lost, its Jobs tell how it ended. They do not know how long it took: a deadline begins anew.
    jobs = [job["metadata"]["uid"] for job in run.jobs()]
    cluster.patch(f"{run.path}/status", {"status": dict.fromkeys(run.status)})
    again = until(lambda: run.is_now("Succeeded", "False"), "end again", meanwhile=kubelet.tick)
    assert again["reason"] == reason
    if "Deadline" not in reason:
        assert again["message"] == end["message"]
        assert [job["metadata"]["uid"] for job in run.jobs()] == jobs


def test_a_report_that_cannot_be_written_does_not_undo_a_success(
    run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    kubelet.script = lambda pod: End(1, "Traceback") if stage_of(pod) == "report" else End()
    operator.start()
    run.apply(spec__failurePolicy={"maxRestarts": 0})
    end = until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert end["reason"] == "Completed"
    said = until(lambda: dict(run.events()).get("ReportCrashed"), "event")
    assert "Traceback" in said


def test_no_failures_is_a_success(run: Run, operator: OperatorProcess, kubelet: Kubelet) -> None:
    def script(pod: Obj) -> End:
        metrics = {"attempts": 800, "failures": 0}
        words = {"stage": "verify", "outcome": "Succeeded", "reason": "Completed", "metrics": metrics}
        return End(message=json.dumps(words)) if stage_of(pod) == "verify" else End()

    kubelet.script = script
    operator.start()
    run.apply()
    end = until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert end["reason"] == "NoFailures"
    assert run.job_names() == ["rollout-1", "verify-1", "report-1"]


def test_a_crash_is_tried_again_and_a_disruption_is_not_counted(
    run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    def script(pod: Obj) -> End:
        if stage_of(pod) != "train":
            return End()
        return {1: End(1, "CUDA error"), 2: End(143, disrupted="PreemptionByScheduler")}.get(
            attempt_of(pod), End()
        )

    kubelet.script = script
    operator.start()
    run.apply()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert [name for name in run.job_names() if name.startswith("train")] == ["train-1", "train-2", "train-3"]
    status = run.status
    assert status["restarts"] == 2
    assert [(each["reason"], each["counted"], each["node"]) for each in status["attempts"]] == [
        ("TrainerCrashed", True, "node-1"),
        ("Disrupted", False, "node-1"),
    ]
    assert "CUDA error" in status["attempts"][0]["message"]
    restarted = [message for reason, message in run.events() if reason == "AttemptRestarted"]
    assert ["restart 1 of 3" in restarted[0], "not counted as a restart" in restarted[1]] == [True, True]
    restarts = partial(operator.metric, "reflect_restarts_total", stage="train")
    assert [restarts(reason=reason) for reason in ("TrainerCrashed", "Disrupted")] == [1, 1]
    assert operator.metric("reflect_stage_seconds_count", stage="train") == 1
    # Two waits of ten seconds.
    assert operator.metric("reflect_stage_seconds_sum", stage="train") >= 20


@pytest.mark.parametrize(("reason", "act"), HINDRANCES, ids=[case[0] for case in HINDRANCES])
def test_what_keeps_pods_from_starting_is_shown_and_heals_without_touching_the_resource(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, reason: str, act: Wait
) -> None:
    kubelet.script = lambda _: act
    operator.start()
    run.apply()
    hindered = until(lambda: run.is_now("Ready", "False", reason), "hindrance", meanwhile=kubelet.tick)
    assert act.message in hindered["message"]
    assert run.is_now("Reconciling", "True", reason)
    kubelet.script = run_on
    until(lambda: run.is_now("Ready", "True", "Progressing"), "progress", meanwhile=kubelet.tick)
    assert run.get()["metadata"]["generation"] == 1
