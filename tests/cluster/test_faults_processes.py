"""Table of faults: processes within pods that end, or stand still."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from ..support.cluster import CORE, Obj, until
from ..support.nodes.example import SYSTEM, VERIFIER_IMAGE, spread
from ..support.nodes.small_run import EVERY, STAGES, SmallRun

HANG = "tmp/hang"
"""Below the root of its container: while this file is there, countdown_service.py answers nobody."""
STANDS_S = 20
PATIENCE_S = 45
"""Of the stage with its verifier, by itself three minutes."""
SURVIVES_S = 60
KILLED = 137


def test_process_of_each_stage_killed(run: SmallRun, undisturbed: str) -> None:
    """SIGKILL of the process of each stage"""
    run.start()
    saved = 0
    for stage in STAGES:
        if stage == "train":
            saved = run.trains()
        run.stage_process(stage).kill()
    status = run.ends_well(restarts=len(STAGES), counted=len(STAGES), weights=undisturbed)
    assert [(each["stage"], each["exitCode"]) for each in status["attempts"]] == [
        (each, KILLED) for each in STAGES
    ]
    assert saved <= run.resumed_from() <= run.steps_done() <= run.resumed_from() + EVERY


def test_training_rank_killed(run: SmallRun) -> None:
    """SIGKILL of one training process of two, on two nodes"""
    run.start({"training.nodes": 2, "pods.training.topologySpreadConstraints": spread("train")})
    saved = run.trains()
    assert {pod["spec"]["nodeName"] for pod in run.pods("train")} == {"node-1", "node-2"}
    other = run.stage_process("train")
    run.rank_process(1).kill()
    # Its pod has the grace period of a training, ten minutes, and Gloo would wait for half an hour.
    other.wait(SURVIVES_S)
    run.ends_well(restarts=1, counted=1)
    run.lost_little(saved)


def test_out_of_memory(run: SmallRun, undisturbed: str) -> None:
    """Training killed for memory before its first checkpoint, then given more; killed for memory again after a checkpoint"""
    run.start({"pods.training.resources": {"limits": {"memory": "200Mi"}}})
    until(lambda: run.status.get("attempts"), "attempt that failed", patience=300)
    run.change({"pods": {"training": {"resources": {"limits": {"memory": "4Gi"}}}}})
    saved = run.trains()
    pod = run.pod("train", 2)
    run.node_of(pod).exhaust_memory(pod, "stage")
    status = run.ends_well(restarts=2, counted=2, weights=undisturbed)
    assert [each["reason"] for each in status["attempts"]] == ["OutOfMemory"] * 2
    assert run.resumed_from() == 0
    run.lost_little(saved, 3)


def test_verifier_crashes_and_hangs(run: SmallRun) -> None:
    """Container of the verifier killed, later standing still for 20 s, then hanging for longer than the stage has patience"""
    container = {"image": VERIFIER_IMAGE, "timeoutSeconds": 5}
    patience = [{"name": "REFLECT_VERIFIER_PATIENCE", "value": str(PATIENCE_S)}]
    run.start({"task.verifier": {"builtin": None, "container": container}, "pods.training.env": patience})
    saved = run.trains()
    pod = run.pod("train")
    _service(run, pod).kill()
    until(lambda: _starts(run.pods("train")[0]) == 1, "second start of the verifier")
    saved = run.trains(saved + EVERY)
    service = _service(run, pod)
    service.suspend()
    time.sleep(STANDS_S)
    service.resume()
    saved = run.trains(run.saved() + EVERY)
    Path(f"/proc/{service.pid}/root", HANG).touch()
    status = run.ends_well(restarts=1, counted=1)
    (failed,) = status["attempts"]
    assert (failed["reason"], failed["exitCode"]) == ("DependencyUnavailable", 75)
    assert "gave no answer within 5 s" in failed["message"]
    run.lost_little(saved)


def test_operator_killed_in_each_stage(run: SmallRun, undisturbed: str) -> None:
    """SIGKILL of the operator's process in each stage"""
    pod = _operator(run)
    before = _starts(pod)
    run.start()
    for stage in STAGES:
        if stage == "train":
            run.trains()
        run.stage_process(stage)
        run.process(lambda: pod, "reflection_operator").kill()
    run.ends_well(weights=undisturbed)
    until(lambda: _starts(_operator(run)) == before + len(STAGES), "last start of the operator's container")
    (container,) = _operator(run)["status"]["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == KILLED
    jobs = run.cluster.items(f"/apis/batch/v1/namespaces/{run.namespace}/jobs")
    assert len(jobs) == len(STAGES), "a stage was done twice"


def _operator(run: SmallRun) -> Obj:
    (pod,) = run.cluster.items(f"{CORE}/namespaces/{SYSTEM}/pods")
    return pod


def _service(run: SmallRun, pod: Obj) -> psutil.Process:
    return run.process(lambda: pod, "countdown_service.py")


def _starts(pod: Obj) -> int:
    """How often containers of a pod were started after the first time."""
    status = pod["status"]
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return sum(each["restartCount"] for each in containers)
