"""A run that takes both nodes, a model on a volume, keys for one prefix, and GPUs that are only counted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..support.cluster import CORE, Obj, until
from ..support.nodes.cluster import ClusterWithNodes
from ..support.nodes.example import BUCKET, EXAMPLE, TRAINER_IMAGE, rights, spread
from ..support.nodes.s3 import S3InCluster, credentials
from ..support.nodes.small_run import NAME, SmallRun
from ..support.nodes.volumes import offer
from ..support.s3_server import Key

OWN = Key("AKIAOFTHERUNINTHETEST", "may-write-below-its-own-prefix")
MODEL = "countdown/model/config.json"
EMPTY = {"Body": b"", "ChecksumCRC32": "AAAAAA=="}
"""Without a checksum boto3 sends one behind the body, when the server has denied the request and closed the connection."""
GPU = "nvidia.com/gpu"
ONE_EACH = {"training.nodes": 2, "pods.training.topologySpreadConstraints": spread("train")}
TWO_WORKERS = {"rollout.workers": 2, "pods.rollout.topologySpreadConstraints": spread("rollout")}


def denied(theirs: str) -> list[tuple[str, dict[str, Any]]]:
    """Requests outside the prefix of a run, to another one's file among them. The model may be read."""
    _, namespace, name, _ = theirs.split("/")
    return [
        ("put_object", {"Key": theirs, **EMPTY}),
        ("get_object", {"Key": theirs}),
        ("delete_object", {"Key": theirs}),
        ("list_objects_v2", {"Prefix": f"runs/{namespace}/{name}/"}),
        ("list_objects_v2", {"Prefix": f"runs/{namespace}/"}),
        ("list_objects_v2", {"Prefix": "runs/"}),
        ("list_objects_v2", {}),
        ("put_object", {"Key": MODEL, **EMPTY}),
        ("delete_object", {"Key": MODEL}),
    ]


def nodes_of(run: SmallRun, stage: str) -> list[str]:
    return [pod["spec"]["nodeName"] for pod in run.pods(stage)]


def test_two_nodes_train_what_two_processes_do(
    run: SmallRun, s3: S3InCluster, namespaces: list[str], nodes: ClusterWithNodes
) -> None:
    """Training over two nodes against two processes in one pod, the model of the one from a volume"""
    offer(run.cluster, run.namespace, "models", EXAMPLE / "model")
    run.start({**ONE_EACH, **TWO_WORKERS, "model.uri": "pvc://models"})
    run.ends_well()
    for stage in ("rollout", "train"):
        assert sorted(nodes_of(run, stage)) == ["node-1", "node-2"]

    place = f"{run.namespace}-alone"
    run.cluster.create(f"{CORE}/namespaces", {"metadata": {"name": place}})
    namespaces.append(place)
    alone = SmallRun(nodes, s3, place)
    alone.start({**TWO_WORKERS, "training.processesPerNode": 2})
    alone.ends_well()
    assert len(alone.pods("train")) == 1
    assert run.weights() == alone.weights()


def test_a_run_whose_keys_open_its_own_prefix_alone(run: SmallRun, s3: S3InCluster, undisturbed: str) -> None:
    """Keys for the prefix of one run, with the policy of docs/storage.md"""
    here = f"runs/{run.namespace}"
    s3.let_in(BUCKET, OWN, rights=rights("namespace.json", "runs/ml/*", f"{here}/{NAME}-*"))
    run.cluster.patch(f"{CORE}/namespaces/{run.namespace}/secrets/s3", credentials(OWN))
    client = s3.client(OWN)
    # Of another run in the same namespace, and of another namespace.
    for theirs in (f"{here}/another-1234abcd/file", "runs/elsewhere/small-1234abcd/file"):
        s3.client().put_object(Bucket=BUCKET, Key=theirs, Body=b"theirs")
        for request, words in denied(theirs):
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(client, request)(Bucket=BUCKET, **words)
        assert s3.client().get_object(Bucket=BUCKET, Key=theirs)["Body"].read() == b"theirs"
    assert client.get_object(Bucket=BUCKET, Key=MODEL)["ContentLength"] > 0
    run.start()
    run.ends_well(weights=undisturbed)


def test_gpus_are_asked_for_and_waited_for(run: SmallRun, nodes: ClusterWithNodes) -> None:
    """GPUs by the nodes' status alone: what is asked for is given to pods, and nothing is behind it"""
    for node in nodes.nodes:
        with_gpus(run, node.name, "1")
    try:
        taken = [taker(node.name) for node in nodes.nodes]
        pods = f"{CORE}/namespaces/{run.namespace}/pods"
        for pod in taken:
            run.cluster.create(pods, pod)
        run.start({"rollout.gpusPerWorker": 1, **TWO_WORKERS})
        run.waits_for("Unschedulable")
        message = run.condition("Ready")["message"]
        assert f"Insufficient {GPU}" in message
        assert (
            run.cluster.kubectl("get", "rt", "-n", run.namespace).stdout.splitlines()[1].split()[1]
            == "Pending"
        )
        for pod in taken:
            run.cluster.delete(f"{pods}/{pod['metadata']['name']}")
        until(lambda: len(given(run)) == 2, "node for each worker", patience=120)
        assert sorted(given(run)) == ["node-1", "node-2"]
    finally:
        run.change({"suspend": True})
        for node in nodes.nodes:
            with_gpus(run, node.name, None)


def given(run: SmallRun) -> list[str]:
    """Nodes of the first attempt's workers that have a GPU each."""
    return [
        pod["spec"]["nodeName"]
        for pod in run.pods("rollout")
        if "nodeName" in pod["spec"] and pod["spec"]["containers"][0]["resources"]["limits"].get(GPU) == "1"
    ]


def with_gpus(run: SmallRun, node: str, count: str | None) -> None:
    """Let a node say that it has GPUs."""
    run.cluster.patch(f"{CORE}/nodes/{node}/status", {"status": {"capacity": {GPU: count}}})
    if count is not None:
        until(
            lambda: run.cluster.get(f"{CORE}/nodes/{node}")["status"]["allocatable"].get(GPU) == count,
            f"{count} GPU of {node}",
        )


def taker(node: str) -> Obj:
    """A pod that has a node's GPU and does nothing with it."""
    security: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "metadata": {"name": f"taker-{node}"},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "sleep",
                    "image": TRAINER_IMAGE,
                    "command": ["/usr/bin/sleep", "infinity"],
                    "securityContext": security,
                    "resources": {"limits": {GPU: "1"}},
                }
            ],
        },
    }
