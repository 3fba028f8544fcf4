"""A cluster with two real nodes for all tests of this folder. Needs root: `make soak ONLY=cluster`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from ..support.cluster import CORE, Cluster
from ..support.helm import Helm
from ..support.nodes.cluster import ClusterWithNodes, lacking
from ..support.nodes.evidence import evidence, telling
from ..support.nodes.example import SYSTEM, install_operator, load_images, restrict, upload_inputs
from ..support.nodes.gate import Gate
from ..support.nodes.node import Node
from ..support.nodes.rows import OTHERS, group, keep, skip_what_has_passed
from ..support.nodes.s3 import NAMESPACE as STORAGE
from ..support.nodes.s3 import S3InCluster
from ..support.nodes.small_run import SmallRun

_HERE = Path(__file__).parent
_FAILED = pytest.StashKey[bool]()
_RUNNING = pytest.StashKey[ClusterWithNodes]()
_LIMIT_S = 1500
_OTHERS_S = 600
"""Seconds to wait for another cluster of this machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever starts a cluster of his own comes before those who share one: there is one at a time."""
    ours = {item for item in items if item.path.is_relative_to(_HERE)}
    items.sort(key=lambda item: item in ours and "nodes" in getattr(item, "fixturenames", ()))
    for item in ours:
        item.add_marker(pytest.mark.timeout(_LIMIT_S, func_only=False))
        if group(item.path) != OTHERS:
            skip_what_has_passed(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests of this folder leave a record."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    if item.path.is_relative_to(_HERE):
        keep(item, report)
    return report


@pytest.fixture(scope="session")
def nodes(request: pytest.FixtureRequest) -> Iterator[ClusterWithNodes]:
    if problem := lacking():
        pytest.skip(problem)
    running = request.session.stash[_RUNNING] = ClusterWithNodes(2, patience=_OTHERS_S)
    yield running
    stop_nodes(request.session)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """The nodes stop after the last test of this folder: what comes then should have the machine to itself."""
    yield
    if nextitem is not None and not nextitem.path.is_relative_to(_HERE):
        stop_nodes(item.session)


def stop_nodes(session: pytest.Session) -> None:
    if running := session.stash.get(_RUNNING, None):
        del session.stash[_RUNNING]
        running.stop_after(session)


@pytest.fixture
def cluster(nodes: ClusterWithNodes) -> Cluster:
    return nodes.cluster


@pytest.fixture
def namespaces(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Names of namespaces that go when the test has ended. What is in them is told when it has failed."""
    used: list[str] = []
    yield used
    if request.node.stash.get(_FAILED, False):
        print(evidence(cluster, *used, SYSTEM, STORAGE))
    for name in used:
        cluster.delete(f"{CORE}/namespaces/{name}")


@pytest.fixture
def namespace(cluster: Cluster, namespaces: list[str], request: pytest.FixtureRequest) -> str:
    """A namespace that enforces the restricted Pod Security Standard."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    restrict(cluster, name)
    namespaces.append(name)
    return name


@pytest.fixture(scope="session")
def loaded(nodes: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> ClusterWithNodes:
    """Nodes that have all images."""
    load_images(nodes, tmp_path_factory.mktemp("images"))
    return nodes


@pytest.fixture(scope="session")
def s3(loaded: ClusterWithNodes) -> S3InCluster:
    """The storage, with the example's model and questions."""
    with telling(loaded.cluster, STORAGE):
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
def helm(admin: Helm, loaded: ClusterWithNodes) -> Helm:
    """The operator is installed."""
    with telling(loaded.cluster, SYSTEM):
        install_operator(admin, loaded.cluster)
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
    restrict(nodes.cluster, namespace)
    run = SmallRun(nodes, s3, namespace)
    with telling(nodes.cluster, namespace, SYSTEM, STORAGE):
        run.start()
        run.ends_well()
    return run.weights()
