"""The life of a release on real nodes: no pod of a run is started anew by what happens to its operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.cluster import CORE, RUNS, Cluster, until
from ..support.helm import CHART, PREVIOUS, Helm, previous_chart
from ..support.nodes import example
from ..support.nodes.cluster import ClusterWithNodes
from ..support.nodes.small_run import EVERY, STAGES, SmallRun

IMAGE = f"{example.REGISTRY}/reflect-operator"


@pytest.fixture
def previous(helm: Helm, nodes: ClusterWithNodes, tmp_path: Path) -> Iterator[None]:
    """An older version is installed; at the end the present one is."""
    for node in nodes.nodes:
        for image in (f"{IMAGE}:0.1.0", example.TRAINER_IMAGE):
            node.also_call(image, f"{image.rpartition(':')[0]}:{PREVIOUS}")
    example.remove_operator(helm)
    example.install_operator(helm, chart=previous_chart(tmp_path))
    yield
    example.remove_operator(helm)
    example.install_operator(helm)


@pytest.mark.usefixtures("previous")
def test_a_release_changes_under_a_run(helm: Helm, run: SmallRun, undisturbed: str) -> None:
    """Upgraded in mid-run, rolled back, uninstalled and installed again"""
    cluster = run.cluster
    assert images(cluster) == {f"{IMAGE}:{PREVIOUS}"}
    run.start()
    saved = run.trains()

    example.upgrade_operator(helm, CHART)
    assert images(cluster) == {f"{IMAGE}:0.1.0"}
    saved = run.trains(saved + EVERY)
    helm.did("rollback", example.RELEASE, "1", "--namespace", example.SYSTEM, "--wait")
    assert images(cluster) == {f"{IMAGE}:{PREVIOUS}"}
    saved = run.trains(saved + EVERY)

    example.remove_operator(helm)
    until(lambda: not images(cluster), "end of the operator's pods")
    assert run.condition("Succeeded")["status"] == "Unknown"
    assert cluster.answers(f"{RUNS}/reflectiontrainings")
    run.trains(saved + EVERY)
    example.install_operator(helm)

    run.ends_well(weights=undisturbed)
    for stage in STAGES:
        (pod,) = run.pods(stage)
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]
    jobs = cluster.items(f"/apis/batch/v1/namespaces/{run.namespace}/jobs")
    assert len(jobs) == len(STAGES), "a stage was done twice"


def images(cluster: Cluster) -> set[str]:
    """What the operator's pods run that are not on their way out."""
    pods = cluster.items(f"{CORE}/namespaces/{example.SYSTEM}/pods")
    return {
        container["image"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
    }
