"""A cluster with two real nodes for all tests of this folder. Needs root: `make soak ONLY=cluster`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support.cluster import CORE, Cluster
from ..support.nodes.cluster import ClusterWithNodes, lacking


@pytest.fixture(scope="session")
def nodes() -> Iterator[ClusterWithNodes]:
    if problem := lacking():
        pytest.skip(problem)
    running = ClusterWithNodes(2)
    yield running
    running.stop()


@pytest.fixture
def cluster(nodes: ClusterWithNodes) -> Cluster:
    return nodes.cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that enforces the restricted Pod Security Standard."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": name, "labels": labels}})
    yield name
    cluster.delete(f"{CORE}/namespaces/{name}")
