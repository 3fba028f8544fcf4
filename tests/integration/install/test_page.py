"""The page on the installation, command by command, in its own order, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.cluster import Cluster, until
from ...support.crd import CRDS
from ...support.helm import Helm
from ...support.kubernetes_programs import find_programs
from ...support.pages import ROOT, fences
from ...support.shell import in_shell

PAGE = ROOT / "docs/install.md"
CRD = f"{CRDS}/reflectiontrainings.reflection.training"


@pytest.fixture
def shell(admin: Helm, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has kubectl and Helm."""
    return admin.shell(find_programs().kubectl, tmp_path / "bin")


@pytest.fixture
def as_of_new(empty_cluster: Cluster) -> Iterator[None]:
    """Without the namespaces of the page, which other tests use too, before and after."""
    without_namespaces(empty_cluster)
    yield
    without_namespaces(empty_cluster)


def without_namespaces(cluster: Cluster) -> None:
    for name in ("ml", "reflect-system"):
        cluster.delete(f"/api/v1/namespaces/{name}")
        until(lambda name=name: cluster.find(f"/api/v1/namespaces/{name}") is None, f"end of {name}")


@pytest.mark.usefixtures("as_of_new")
def test_every_command_of_the_page_works(empty_cluster: Cluster, shell: dict[str, str]) -> None:
    shown = [fence.text for fence in fences(PAGE) if fence.language == "sh"]
    assert len(shown) >= 5
    for text in shown:
        # Between two commands a reader lets the API server learn the new kind.
        until(lambda: settled(empty_cluster), "API for ReflectionTrainings")
        done = in_shell(f"set -eu\n{text}", ROOT, shell)
        assert done.returncode == 0, f"{text}\n{done.stdout}"
    assert until(lambda: empty_cluster.find(CRD) is None, "end of the CRD")


def settled(cluster: Cluster) -> bool:
    """Whether the API server serves the kind and describes it, or does not know its definition."""
    crd = cluster.find(CRD)
    served = [
        cluster.answers(f"{place}/reflection.training/v1alpha1") for place in ("/apis", "/openapi/v3/apis")
    ]
    if crd is None:
        return not any(served)
    if "deletionTimestamp" in crd["metadata"] or not all(served):
        return False
    # A description of the group may come before the kind is in it.
    return cluster.kubectl("explain", "reflectiontrainings").returncode == 0
