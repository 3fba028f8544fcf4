"""The cluster itself: pods on both nodes reach each other by address, by Service and by name."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.cluster import CORE, Cluster, Obj, until
from ..support.nodes.cluster import ClusterWithNodes
from ..support.nodes.images import trainer_image

IMAGE = "reflect.test/python:1"
SERVER = "from http.server import *; HTTPServer(('', 8000), SimpleHTTPRequestHandler).serve_forever()"
CLIENT = """
import sys, time, urllib.request
deadline = time.monotonic() + 60
while True:
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=2).status)
        break
    except OSError as error:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.5)
"""


@pytest.fixture(scope="module", autouse=True)
def _image(nodes: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = tmp_path_factory.mktemp("image") / "python.tar"
    trainer_image(archive, IMAGE)
    for node in nodes.nodes:
        node.images(archive)


def pod(name: str, node: str, *arguments: str, labels: dict[str, str] | None = None) -> Obj:
    security: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "python",
                    "image": IMAGE,
                    "command": ["/usr/bin/python3.11", "-c", *arguments],
                    "securityContext": security,
                }
            ],
        },
    }


def test_pods_of_both_nodes_reach_each_other(cluster: Cluster, namespace: str) -> None:
    """Pods of both nodes reach each other by address, by Service and by name"""
    place = f"{CORE}/namespaces/{namespace}"
    cluster.create(f"{place}/pods", pod("server", "node-1", SERVER, labels={"app": "server"}))
    selector = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8000}]}
    cluster.create(f"{place}/services", {"metadata": {"name": "server"}, "spec": selector})
    clients = {
        f"{node}-{how}": (node, address)
        for node in ("node-1", "node-2")
        for how, address in (
            ("by-name", f"http://server.{namespace}.svc.cluster.local"),
            ("short", "http://server"),
        )
    }
    for name, (node, address) in clients.items():
        cluster.create(f"{place}/pods", pod(name, node, CLIENT, address))

    def all_have_ended() -> bool:
        phases = [cluster.get(f"{place}/pods/{name}")["status"]["phase"] for name in clients]
        return all(phase in ("Succeeded", "Failed") for phase in phases)

    until(all_have_ended, "ends of all clients", patience=120)
    phases = {name: cluster.get(f"{place}/pods/{name}")["status"]["phase"] for name in clients}
    assert phases == dict.fromkeys(clients, "Succeeded")
