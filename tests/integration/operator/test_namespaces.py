"""An operator of some namespaces: one of them goes, or its Role, and the others do not suffer."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.cluster import CORE, Cluster, until
from ...support.kubelet import End, Kubelet, train_on
from ...support.operator_process import OperatorProcess
from .conftest import SHORT_LEASE, Run

BINDING = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"


@pytest.fixture
def runs(cluster: Cluster) -> list[Run]:
    """One in each of two namespaces, not created yet."""
    names = [f"team-{secrets.token_hex(4)}" for _ in range(2)]
    for name in names:
        cluster.create(f"{CORE}/namespaces", {"metadata": {"name": name}})
    return [Run(cluster, name) for name in names]


@pytest.fixture
def kubelets(cluster: Cluster, runs: list[Run]) -> list[Kubelet]:
    return [Kubelet(cluster, run.namespace, train_on) for run in runs]


@pytest.fixture
def operator(cluster: Cluster, namespace: str, runs: list[Run], tmp_path: Path) -> Iterator[OperatorProcess]:
    """Of these two namespaces, with its Lease in a third one."""
    process = OperatorProcess(
        cluster, namespace, tmp_path / "operator.log", namespaces=[run.namespace for run in runs]
    )
    yield process
    process.end()
    print(process.log())


def at_work(operator: OperatorProcess, runs: list[Run], kubelets: list[Kubelet], policy: str) -> None:
    """Both trainings are at work."""
    for run in runs:
        run.apply(spec__deletionPolicy=policy)
    operator.keep_running(*SHORT_LEASE)
    for run, kubelet in zip(runs, kubelets, strict=True):
        until(lambda run=run: run.status.get("phase") == "Training", "training", meanwhile=kubelet.tick)


def started_again(operator: OperatorProcess) -> None:
    operator.kill()
    operator.keep_running(*SHORT_LEASE)


def finishes(run: Run, kubelet: Kubelet) -> None:
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), f"end of {run.path}", meanwhile=kubelet.tick)


def test_a_namespace_that_is_deleted_stops_no_other(
    cluster: Cluster, operator: OperatorProcess, runs: list[Run], kubelets: list[Kubelet]
) -> None:
    at_work(operator, runs, kubelets, "Retain")
    gone = f"{CORE}/namespaces/{runs[0].namespace}"
    cluster.delete(gone)
    until(lambda: cluster.find(gone) is None, "end of the namespace", meanwhile=kubelets[0].tick)
    started_again(operator)
    finishes(runs[1], kubelets[1])
    assert f"nothing is done in namespace {runs[0].namespace}" in operator.log()
    for path in ("/healthz", "/readyz"):
        until(lambda path=path: operator.probe(path).is_success, path)


def test_a_role_that_went_before_the_runs_holds_the_namespace_until_the_page_is_followed(
    cluster: Cluster, operator: OperatorProcess, runs: list[Run], kubelets: list[Kubelet]
) -> None:
    """Kubernetes deletes what is in a namespace in any order."""
    at_work(operator, runs, kubelets, "Delete")
    gone = f"{CORE}/namespaces/{runs[0].namespace}"
    cluster.delete(f"{BINDING.format(runs[0].namespace)}/reflect-operator")
    cluster.delete(gone)
    until(lambda: "deletionTimestamp" in runs[0].get()["metadata"], "deletion", meanwhile=kubelets[0].tick)
    started_again(operator)
    hint = f"kubectl patch rt NAME -n {runs[0].namespace} --type=merge"
    until(lambda: hint in operator.log(), "hint in the log")
    runs[0].patch_as_the_page_says("finalizers")
    until(lambda: cluster.find(gone) is None, "end of the namespace", meanwhile=kubelets[0].tick)
    finishes(runs[1], kubelets[1])


def test_a_role_that_comes_back_is_noticed(
    cluster: Cluster, operator: OperatorProcess, runs: list[Run], kubelets: list[Kubelet]
) -> None:
    at_work(operator, runs, kubelets, "Retain")
    bindings = BINDING.format(runs[0].namespace)
    binding = cluster.get(f"{bindings}/reflect-operator")
    cluster.delete(f"{bindings}/reflect-operator")
    started_again(operator)
    finishes(runs[1], kubelets[1])
    jobs = runs[0].job_names()
    cluster.create(bindings, {name: binding[name] for name in ("roleRef", "subjects")} | {
        "metadata": {"name": "reflect-operator"}
    })  # fmt: skip
    finishes(runs[0], kubelets[0])
    assert runs[0].status["restarts"] == 0
    assert runs[0].job_names()[: len(jobs)] == jobs, "no Job was taken for lost while none could be read"
