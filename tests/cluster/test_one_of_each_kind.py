"""One fault of each kind of the table within one small run: of the control plane, a process, a pod, the storage, a node."""

from __future__ import annotations

import time

from ..support.nodes.node import Node
from ..support.nodes.small_run import EVERY, SmallRun, trains_on

AWAY_S = 15


def test_a_run_survives_one_fault_of_each_kind(run: SmallRun, second: Node, undisturbed: str) -> None:
    """One run, and a fault of each kind in it"""
    run.start(trains_on(second.name))
    run.pod("rollout")
    with run.nodes.plane.without("kube-apiserver"):
        time.sleep(AWAY_S)
    saved = run.trains()
    run.stage_process("train").kill()
    # One more checkpoint each time: the attempt before has got somewhere.
    saved = run.trains(saved + EVERY)
    run.evict(run.pod("train", 2))
    saved = run.trains(saved + 2 * EVERY)
    with run.s3.away():
        time.sleep(AWAY_S)
    saved = run.trains(saved + EVERY)
    assert run.pod("train", 3)["spec"]["nodeName"] == second.name
    run.nodes.drain(second)
    status = run.ends_well(restarts=3, counted=1, weights=undisturbed)
    assert [each["counted"] for each in status["attempts"]] == [True, False, False]
    run.lost_little(saved, 4)
