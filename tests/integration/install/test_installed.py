"""What is installed, object by object and right by right, on a real API server."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from reflection_operator.kube.kinds import (
    FOR_PROGRESS_IN_CLUSTER,
    FOR_PROGRESS_IN_OWN_NAMESPACE,
    IN_OWN_NAMESPACE,
    IN_RUN_NAMESPACES,
    Kind,
)

from ...support.cluster import CORE, RUNS, Cluster, until
from ...support.crd import CRDS
from ...support.go_modules import PROMETHEUS_OPERATOR
from ...support.helm import CHART, Helm
from ...support.kubelet import Kubelet
from ...support.kubernetes_programs import find_programs
from ..operator.conftest import SHORT_LEASE, Run
from .releases import ReleasedOperator, make_namespace, token_of
from .values import EVERYTHING

CRD = f"{CRDS}/reflectiontrainings.reflection.training"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ANYBODY = {
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"),
    ("create", "authorization.k8s.io", "selfsubjectrulesreviews"),
    ("create", "authentication.k8s.io", "selfsubjectreviews"),
}
"""What everybody may."""
Right = tuple[str, str, str]
"""Verb, API group and resource."""


@pytest.fixture
def place(empty_cluster: Cluster) -> str:
    """A namespace for a release."""
    name = f"ops-{secrets.token_hex(4)}"
    make_namespace(empty_cluster, name)
    return name


@pytest.fixture
def team(empty_cluster: Cluster) -> str:
    """A namespace for runs."""
    name = f"team-{secrets.token_hex(4)}"
    make_namespace(empty_cluster, name)
    return name


@pytest.fixture
def release(admin: Helm, empty_cluster: Cluster, place: str) -> Iterator[str]:
    """A release that is taken away in the end, with its CRD."""
    yield "r"
    admin.run("upgrade", "r", CHART, "--namespace", place, "--reuse-values", "--set", "crds.keep=false")
    admin.run("uninstall", "r", "--namespace", place)
    until(lambda: empty_cluster.find(CRD) is None, "end of the CRD")


def rights(cluster: Cluster, account: str, place: str, namespace: str) -> set[Right]:
    """Everything that a service account may do in a namespace, by the API server's own account of it."""
    kubeconfig = cluster.plane.kubeconfig_with_token(f"{place}-{account}", token_of(cluster, place, account))
    theirs = Cluster(cluster.plane, find_programs().kubectl, kubeconfig)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = theirs.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    theirs.close()
    return {
        (verb, group, resource)
        for rule in answer["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    } - ANYBODY


def wanted(kinds: Iterable[Kind]) -> set[Right]:
    return {(verb, kind.group, kind.resource) for kind in kinds for verb in kind.verbs}


def test_the_account_may_do_what_the_operator_does_and_nothing_else(
    admin: Helm, empty_cluster: Cluster, place: str, release: str
) -> None:
    admin.did("install", release, CHART, "--namespace", place)
    account = f"{release}-reflect-operator"
    everywhere = (*IN_RUN_NAMESPACES, *FOR_PROGRESS_IN_CLUSTER)
    own = (*IN_OWN_NAMESPACE, *FOR_PROGRESS_IN_OWN_NAMESPACE)
    assert rights(empty_cluster, account, place, "default") == wanted(everywhere)
    assert rights(empty_cluster, account, place, place) == wanted((*everywhere, *own))


def test_with_namespaces_it_needs_no_right_of_the_cluster_and_works(
    admin: Helm, empty_cluster: Cluster, place: str, team: str, release: str, tmp_path: Path
) -> None:
    cluster = empty_cluster
    values = {"watchNamespaces": [team], "progress": {"enabled": False}}
    admin.did("install", release, CHART, "--namespace", place, values=values)
    account = f"{release}-reflect-operator"
    assert rights(cluster, account, place, team) == wanted(IN_RUN_NAMESPACES)
    assert rights(cluster, account, place, place) == wanted(IN_OWN_NAMESPACE)
    assert rights(cluster, account, place, "default") == set()
    until(lambda: cluster.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    operator = ReleasedOperator(cluster, place, account, tmp_path / "operator.log")
    operator.keep_running(*SHORT_LEASE)
    try:
        run, kubelet = Run(cluster, team), Kubelet(cluster, team)
        run.apply()
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    finally:
        operator.end()
        print(operator.log())


def test_who_may_view_and_edit_a_namespace_may_view_and_edit_its_runs(
    admin: Helm, empty_cluster: Cluster, place: str, team: str, release: str
) -> None:
    cluster = empty_cluster
    admin.did("install", release, CHART, "--namespace", place)
    for role in ("view", "edit", "admin"):
        cluster.create(f"{CORE}/namespaces/{team}/serviceaccounts", {"metadata": {"name": role}})
        binding = {
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": role, "namespace": team}],
        }
        cluster.create(f"{RBAC}/namespaces/{team}/rolebindings", binding)

    def may(role: str) -> set[str]:
        group, plural = "reflection.training", "reflectiontrainings"
        return {
            f"{verb} {resource}".removesuffix(f" {plural}")
            for verb, of, resource in rights(cluster, role, team, team)
            if of == group
        }

    reading, writing = {"get", "list", "watch"}, {"create", "update", "patch", "delete", "deletecollection"}
    # A controller gathers the roles.
    until(lambda: may("view") == reading, "right to view")
    for role in ("edit", "admin"):
        until(lambda role=role: may(role) == reading | writing, f"rights of {role}")


@pytest.fixture
def monitoring(empty_cluster: Cluster) -> None:
    """The kinds of the Prometheus operator."""
    folder = PROMETHEUS_OPERATOR.folder() / "example/prometheus-operator-crd"
    for kind in ("servicemonitors", "prometheusrules"):
        crd = yaml.safe_load((folder / f"monitoring.coreos.com_{kind}.yaml").read_text())
        empty_cluster.create(CRDS, crd)
        path = f"/apis/monitoring.coreos.com/v1/{kind}"
        until(lambda path=path: empty_cluster.answers(path), f"API for {kind}")


@pytest.mark.usefixtures("monitoring")
def test_the_api_server_takes_everything_that_can_be_switched_on(
    admin: Helm, empty_cluster: Cluster, place: str, release: str
) -> None:
    admin.did("install", release, CHART, "--namespace", place, values=EVERYTHING)
    manifest = admin.did("get", "manifest", release, "--namespace", place)
    strict = empty_cluster.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-n", place, "-f", "-", stdin=manifest
    )
    assert strict.returncode == 0, strict.stderr
    kinds = {obj["kind"] for obj in yaml.safe_load_all(manifest) if obj}
    assert kinds >= {
        "ServiceMonitor",
        "PrometheusRule",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "Service",
        "ConfigMap",
    }
    monitor = empty_cluster.items(f"/apis/monitoring.coreos.com/v1/namespaces/{place}/servicemonitors")[0]
    service = empty_cluster.items(f"{CORE}/namespaces/{place}/services")[0]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (pod, *_) = until(lambda: empty_cluster.items(f"{CORE}/namespaces/{place}/pods"), "pods")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    budget = empty_cluster.items(f"/apis/policy/v1/namespaces/{place}/poddisruptionbudgets")[0]
    assert budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
