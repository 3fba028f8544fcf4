"""A cluster with two real nodes for all tests of this folder. Needs root: `make soak ONLY=cluster`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from ..support.cluster import CORE, Cluster
from ..support.helm import Helm
from ..support.nodes.cluster import ClusterWithNodes, lacking
from ..support.nodes.evidence import evidence
from ..support.nodes.example import RESTRICTED, SYSTEM, install_operator, load_images, upload_inputs
from ..support.nodes.gate import Gate
from ..support.nodes.node import Node
from ..support.nodes.rows import ROWS, keep
from ..support.nodes.s3 import S3InCluster
from ..support.nodes.small_run import SmallRun

_FAILED = pytest.StashKey[bool]()
_LIMIT_S = 1500
_OTHERS_S = 600
"""Seconds to wait for another cluster of this machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_LIMIT_S, func_only=False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Rows of the table of faults leave a record."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    if item.path.name.startswith(ROWS) and report.when == "call":
        keep(item, report)
    return report


@pytest.fixture(scope="session")
def nodes() -> Iterator[ClusterWithNodes]:
    if problem := lacking():
        pytest.skip(problem)
    running = ClusterWithNodes(2, patience=_OTHERS_S)
    yield running
    running.stop()


@pytest.fixture
def cluster(nodes: ClusterWithNodes) -> Cluster:
    return nodes.cluster


@pytest.fixture
def namespaces(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Names of namespaces that go when the test has ended. What is in them is told when it has failed."""
    used: list[str] = []
    yield used
    if request.node.stash.get(_FAILED, False):
        print(evidence(cluster, *used, SYSTEM))
    for name in used:
        cluster.delete(f"{CORE}/namespaces/{name}")


@pytest.fixture
def namespace(cluster: Cluster, namespaces: list[str], request: pytest.FixtureRequest) -> str:
    """A namespace that enforces the restricted Pod Security Standard."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    make_namespace(cluster, name)
    namespaces.append(name)
    return name


def make_namespace(cluster: Cluster, name: str) -> None:
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": name, "labels": RESTRICTED}})


@pytest.fixture(scope="session")
def loaded(nodes: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> ClusterWithNodes:
    """Nodes that have all images."""
    load_images(nodes, tmp_path_factory.mktemp("images"))
    return nodes


@pytest.fixture(scope="session")
def s3(loaded: ClusterWithNodes) -> S3InCluster:
    """The storage, with the example's model and questions."""
    server = S3InCluster(loaded)
    upload_inputs(server)
    return server


@pytest.fixture(scope="session")
def gate(nodes: ClusterWithNodes, s3: S3InCluster) -> Gate:
    """A way to the storage that tests may make a bad one."""
    return Gate(nodes, s3)


@pytest.fixture(scope="session")
def admin(loaded: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm as an administrator of the cluster has it."""
    return Helm(tmp_path_factory.mktemp("helm"), loaded.plane.kubeconfig)


@pytest.fixture(scope="session")
def helm(admin: Helm) -> Helm:
    """The operator is installed."""
    install_operator(admin)
    return admin


@pytest.fixture
def run(
    helm: Helm,
    nodes: ClusterWithNodes,
    s3: S3InCluster,
    namespace: str,
    record_property: Callable[[str, object], None],
) -> SmallRun:
    """A run that is not started yet."""
    return SmallRun(nodes, s3, namespace, record_property)


@pytest.fixture
def second(nodes: ClusterWithNodes, run: SmallRun) -> Iterator[Node]:
    """The node where neither operator nor storage is, for something to happen to; it is well when the test has ended."""
    node = nodes.node("node-2")
    yield node
    nodes.mend(node)


@pytest.fixture(scope="session")
def undisturbed(helm: Helm, nodes: ClusterWithNodes, s3: S3InCluster) -> str:
    """The weights that the small run ends with when nothing happens."""
    namespace = "undisturbed"
    make_namespace(nodes.cluster, namespace)
    run = SmallRun(nodes, s3, namespace)
    run.start()
    try:
        run.ends_well()
    except AssertionError as error:
        error.add_note(evidence(nodes.cluster, namespace, SYSTEM))
        raise
    return run.weights()
