"""The life of a release on real nodes: no pod of a run is started anew by what happens to its operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.cluster import CORE, Cluster, until
from ..support.helm import CHART, PREVIOUS, Helm, previous_chart
from ..support.nodes import example
from ..support.nodes.inventory import inventory, without_owner
from ..support.nodes.small_run import EVERY, NAME, STAGES, SmallRun

IMAGE = f"{example.REGISTRY}/reflect-operator"
CRD = "customresourcedefinitions /reflectiontrainings.reflection.training"
LEFT_IN_SYSTEM = {
    "configmaps kube-root-ca.crt",
    "serviceaccounts default",
    # docs/install.md says so of these two: the operator has made them itself.
    "leases reflect-operator",
    "secrets reflect-operator-progress",
}


@pytest.fixture
def before(helm: Helm, run: SmallRun, undisturbed: str, tmp_path: Path) -> Iterator[set[str]]:
    """What there is in the cluster without a release. An older version is installed; at the end the present one is."""
    stages = example.TRAINER_IMAGE.rpartition(":")[0]
    for node in run.nodes.nodes:
        node.also_call(f"{IMAGE}:0.1.0", f"{IMAGE}:{PREVIOUS}")
        for version in (PREVIOUS, "0.1.0"):
            node.also_call(example.TRAINER_IMAGE, f"{stages}:{version}")
    _uninstalled(helm, run.cluster)
    there = set(inventory(run.cluster))
    example.install_operator(helm, run.cluster, chart=previous_chart(tmp_path))
    yield there
    example.remove_operator(helm)
    example.install_operator(helm, run.cluster)


def test_a_release_changes_under_a_run(helm: Helm, run: SmallRun, before: set[str], undisturbed: str) -> None:
    """Upgraded in mid-run, rolled back, uninstalled and installed again"""
    cluster = run.cluster
    assert images(cluster) == {f"{IMAGE}:{PREVIOUS}"}
    # No image of its own: its stages have that of the release, another one in each version.
    run.start({"pods.common": {"image": None}})
    saved = run.trains()

    example.upgrade_operator(helm, CHART)
    assert images(cluster) == {f"{IMAGE}:0.1.0"}
    saved = run.trains(saved + EVERY)
    helm.did("rollback", example.RELEASE, "1", "--namespace", example.SYSTEM, "--wait")
    assert images(cluster) == {f"{IMAGE}:{PREVIOUS}"}
    saved = run.trains(saved + EVERY)

    _uninstalled(helm, cluster)
    left = inventory(cluster)
    assert CRD in left
    assert without_owner(left) - before == {f"reflectiontrainings {run.namespace}/{NAME}"}
    assert run.condition("Succeeded")["status"] == "Unknown"
    run.trains(saved + EVERY)
    example.install_operator(helm, cluster)

    run.ends_well(weights=undisturbed)
    for stage in STAGES:
        (pod,) = run.pods(stage)
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]
    jobs = cluster.items(f"/apis/batch/v1/namespaces/{run.namespace}/jobs")
    assert len(jobs) == len(STAGES), "a stage was done twice"


def _uninstalled(helm: Helm, cluster: Cluster) -> None:
    """Uninstall the release; what it has had goes within a moment, and nothing of it stays but what the page says."""
    example.remove_operator(helm)
    place = f" {example.SYSTEM}/"

    def left() -> set[str]:
        return {name.replace(place, " ") for name in inventory(cluster) if place in name}

    until(lambda: left() == LEFT_IN_SYSTEM, f"end of all in {example.SYSTEM} but {sorted(LEFT_IN_SYSTEM)}")


def images(cluster: Cluster) -> set[str]:
    """What the operator's pods run that are not on their way out."""
    pods = cluster.items(f"{CORE}/namespaces/{example.SYSTEM}/pods")
    return {
        container["image"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
    }
