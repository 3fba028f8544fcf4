"""Table of faults: processes within pods that end, or stand still."""

from __future__ import annotations

import time

import psutil

from ..support.cluster import CORE, Obj, until
from ..support.nodes.example import SYSTEM, VERIFIER_IMAGE, spread
from ..support.nodes.small_run import EVERY, STAGES, SmallRun

HANGS_S = 20


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
        (each, 137) for each in STAGES
    ]
    assert saved <= run.resumed_from() <= run.steps_done() <= run.resumed_from() + EVERY


def test_training_rank_killed(run: SmallRun) -> None:
    """SIGKILL of one training process of two, on two nodes"""
    run.start({"training.nodes": 2, "pods.training.topologySpreadConstraints": spread("train")})
    saved = run.trains()
    assert {pod["spec"]["nodeName"] for pod in run.pods("train")} == {"node-1", "node-2"}
    run.rank_process(1).kill()
    run.ends_well(restarts=1, counted=1)
    assert run.resumed_from() >= saved


def test_out_of_memory(run: SmallRun, undisturbed: str) -> None:
    """Container killed for memory in training, then given more"""
    run.start({"pods.training.resources": {"limits": {"memory": "200Mi"}}})
    until(lambda: run.status.get("attempts"), "attempt that failed", patience=300)
    run.change({"pods": {"training": {"resources": {"limits": {"memory": "4Gi"}}}}})
    status = run.ends_well(restarts=1, counted=1, weights=undisturbed)
    assert status["attempts"][0]["reason"] == "OutOfMemory"


def test_verifier_crashes_and_hangs(run: SmallRun) -> None:
    """Container of the verifier killed, later standing still for 20 s"""
    container = {"image": VERIFIER_IMAGE, "timeoutSeconds": 5}
    run.start({"task.verifier": {"builtin": None, "container": container}})
    saved = run.trains()
    pod = run.pod("train")
    _service(run, pod).kill()
    until(lambda: _restarts(run.pods("train")[0]) == 1, "second start of the verifier")
    run.trains(saved + EVERY)
    service = _service(run, pod)
    service.suspend()
    time.sleep(HANGS_S)
    service.resume()
    run.ends_well()


def test_operator_killed_in_each_stage(run: SmallRun, undisturbed: str) -> None:
    """Operator killed in each stage"""
    run.start()
    killed = set()
    for stage in STAGES:
        if stage == "train":
            run.trains()
        run.stage_process(stage)
        for pod in run.cluster.items(f"{CORE}/namespaces/{SYSTEM}/pods"):
            killed.add(pod["metadata"]["name"])
            run.cluster.delete(f"{CORE}/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}", grace=0)
    run.ends_well(weights=undisturbed)
    assert len(killed) >= len(STAGES)
    jobs = run.cluster.items(f"/apis/batch/v1/namespaces/{run.namespace}/jobs")
    assert len(jobs) == len(STAGES), "a stage was done twice"


def _service(run: SmallRun, pod: Obj) -> psutil.Process:
    return run.process(lambda: pod, "countdown_service.py")


def _restarts(pod: Obj) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("initContainerStatuses", []))
