"""A control plane of its own: here the chart brings the CRD, and takes it away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ...support.cluster import CORE, Cluster
from ...support.control_plane import ControlPlane, start_control_plane
from ...support.helm import Helm
from ...support.kubelet import NODE
from ...support.kubernetes_programs import find_programs

# Building the control plane and Helm takes about fifteen minutes, once.
BUILD_LIMIT_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(BUILD_LIMIT_S, func_only=False))


@pytest.fixture(scope="session")
def empty_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    running = start_control_plane()
    yield running
    running.stop_after(request.session)


@pytest.fixture(scope="session")
def empty_cluster(empty_plane: ControlPlane) -> Iterator[Cluster]:
    """With a node, and without anything of ours."""
    with closing(Cluster(empty_plane, find_programs().kubectl)) as found:
        found.create(f"{CORE}/nodes", {"metadata": {"name": NODE}})
        yield found


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def admin(empty_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm with the rights of the cluster's administrator."""
    return Helm(tmp_path_factory.mktemp("admin"), empty_plane.kubeconfig)
