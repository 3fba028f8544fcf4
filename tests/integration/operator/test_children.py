"""The children as they are written out in tests/unit/children/golden, on a real API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ...support.cluster import Cluster
from ...unit.children.resources import GOLDEN

FILES = sorted(GOLDEN.rglob("*.yaml"))


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: Cluster) -> None:
    """Where the files' objects live, with the strictest of the Pod Security Standards enforced."""
    found = {
        obj["metadata"].get("namespace", "default")
        for path in FILES
        for obj in yaml.safe_load_all(path.read_text())
    }
    for name in found - {"default"}:
        labels = {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }
        cluster.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_the_api_server_takes_it_without_a_complaint(cluster: Cluster, path: Path) -> None:
    applied = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", path)
    assert applied.returncode == 0, applied.stderr
    objects = list(yaml.safe_load_all(path.read_text()))
    assert len(applied.stdout.splitlines()) == len(objects)
    assert "would violate PodSecurity" not in applied.stderr
