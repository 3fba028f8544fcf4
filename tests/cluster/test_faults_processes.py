"""Table of faults: processes within pods that end, or stand still."""

from __future__ import annotations

from ..support.cluster import until
from ..support.nodes.small_run import EVERY, SmallRun

STAGES = ("rollout", "verify", "train", "evaluate", "report")


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


def test_out_of_memory(run: SmallRun, undisturbed: str) -> None:
    """Container killed for memory in training, then given more"""
    run.start({"pods.training.resources": {"limits": {"memory": "200Mi"}}})
    until(lambda: run.status.get("attempts"), "attempt that failed", patience=300)
    run.change({"pods": {"training": {"resources": {"limits": {"memory": "4Gi"}}}}})
    status = run.ends_well(restarts=1, counted=1, weights=undisturbed)
    assert status["attempts"][0]["reason"] == "OutOfMemory"
