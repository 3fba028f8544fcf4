"""Table of faults: nodes that are emptied, go silent, or lose their daemons. Operator and storage are on another one."""

from __future__ import annotations

from typing import Any

from ..support.cluster import CORE, Obj, until
from ..support.nodes.cluster import is_ready
from ..support.nodes.node import Node
from ..support.nodes.small_run import SmallRun, trains_on

NOTICED_LIMIT_S = 120
EVICTED_AFTER_S = 5
OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
"""What an administrator says of a node that does not come back; without it nobody may take its pods for ended."""
LEAVES_SOON = [
    {
        "key": f"node.kubernetes.io/{how}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": EVICTED_AFTER_S,
    }
    for how in ("unreachable", "not-ready")
]
"""By itself a pod waits five minutes for a node to come back."""


def test_node_drained(run: SmallRun, second: Node, undisturbed: str) -> None:
    """Node drained"""
    saved, _ = training_on(second, run)
    run.nodes.drain(second)
    status = run.ends_well(restarts=1, weights=undisturbed)
    assert status["attempts"][0]["reason"] == "Disrupted"
    assert run.pods("train", 2)[0]["spec"]["nodeName"] != second.name
    run.lost_little(saved)


def test_node_lost_and_back(run: SmallRun, second: Node, undisturbed: str) -> None:
    """Node lost (NotReady) in training, back after its pods were told to go"""
    saved, pod = training_on(second, run, tolerations=LEAVES_SOON)
    second.unplug()
    done = run.steps_done()
    until(lambda: not ready(run, second), "loss of the node", patience=NOTICED_LIMIT_S)
    until(lambda: told_to_go(run, pod), "eviction", patience=NOTICED_LIMIT_S)
    second.plug_in()
    run.ends_well(restarts=1, weights=undisturbed)
    run.lost_little(saved, done=done)


def test_node_lost_for_good(run: SmallRun, second: Node, undisturbed: str) -> None:
    """Node lost in training, for good: an administrator takes it out of service"""
    saved, pod = training_on(second, run, tolerations=LEAVES_SOON)
    second.unplug()
    done = run.steps_done()
    until(lambda: told_to_go(run, pod), "eviction", patience=NOTICED_LIMIT_S)
    assert not run.pods("train", 2), "two trainings of one run at a time"
    place = f"{CORE}/nodes/{second.name}"
    taints = run.cluster.get(place)["spec"]["taints"]
    run.cluster.patch(place, {"spec": {"taints": [*taints, OUT_OF_SERVICE]}})
    run.ends_well(restarts=1, weights=undisturbed)
    assert run.pods("train", 2)[0]["spec"]["nodeName"] != second.name
    run.lost_little(saved, done=done)


def test_kubelet_killed(run: SmallRun, second: Node, undisturbed: str) -> None:
    """Kubelet killed in training, back when the node counts as lost"""
    training_on(second, run)
    second.kubelet.kill()
    try:
        until(lambda: not ready(run, second), "loss of the node", patience=NOTICED_LIMIT_S)
    finally:
        second.kubelet.start()
    run.ends_well(weights=undisturbed)


def test_containerd_killed(run: SmallRun, second: Node, undisturbed: str) -> None:
    """containerd killed in training"""
    training_on(second, run)
    second.containerd.kill()
    second.containerd.start()
    run.ends_well(weights=undisturbed)


def training_on(node: Node, run: SmallRun, **more: Any) -> tuple[int, Obj]:
    """Start a run that trains on a node; a checkpoint that is saved, and the pod."""
    run.start(trains_on(node.name, **more))
    saved = run.trains()
    pod = run.pod("train")
    assert pod["spec"]["nodeName"] == node.name
    return saved, pod


def ready(run: SmallRun, node: Node) -> bool:
    return is_ready(run.cluster.get(f"{CORE}/nodes/{node.name}"))


def told_to_go(run: SmallRun, pod: Obj) -> bool:
    return "deletionTimestamp" in run.cluster.get(run.place(pod))["metadata"]
