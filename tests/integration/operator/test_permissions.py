"""What the operator may do on a real API server: all of what its roles say is needed, and nothing else is allowed.

The chart's roles are the same ones (tests/integration/install/test_chart.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reflection_operator.kube.kinds import (
    FOR_PROGRESS_IN_CLUSTER,
    FOR_PROGRESS_IN_OWN_NAMESPACE,
    IN_OWN_NAMESPACE,
    IN_RUN_NAMESPACES,
    Kind,
)
from reflection_operator.kube.known import read_run
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.observed import Observed

from ...support.audit import of_operator
from ...support.cluster import CORE, Cluster, Obj, until
from ...support.crd import install_crd
from ...support.kubelet import End, Kubelet, train_on
from ...support.kubernetes_programs import find_programs
from ...support.operator_process import OperatorProcess
from .conftest import SHORT_LEASE, Run

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles"
Right = tuple[str, ...]
"""Verb, API group, resource and the name of the only object (empty: any); or verb and path."""


def requests(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """Verb and resource of every request of the operator of a namespace that was allowed."""
    mine = [entry for entry in of_operator(cluster, namespace) if "objectRef" in entry]
    assert [entry for entry in mine if entry["responseStatus"]["code"] == 403] == []
    return {
        (
            entry["verb"],
            "/".join(filter(None, (entry["objectRef"]["resource"], entry["objectRef"].get("subresource")))),
        )
        for entry in mine
    }


def first_status(run: Run) -> Obj:
    resource = read_run(run.get())
    assert resource is not None
    assert resource.resource is not None
    now = datetime.now(UTC).replace(microsecond=0)
    status = decide(Observed(resource.resource, (), (), None, now)).status
    assert status is not None
    return status.to_dict()


def test_it_uses_every_permission_that_it_asks_for_and_no_other(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """A run in which everything happens: pods refused, two nodes, labels lost, a kill, a suspension, the end, a clean-up."""
    kubelet.script = train_on
    quota = f"{CORE}/namespaces/{run.namespace}/resourcequotas"
    cluster.create(quota, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    run.apply(spec__training={"nodes": 2}, spec__ttlSecondsAfterFinished=0, spec__deletionPolicy="Delete")
    # As if it had been killed before, between writing the first status and creating the first Job.
    cluster.patch(f"{run.path}/status", {"status": first_status(run)})
    operator.keep_running(*SHORT_LEASE)
    until(lambda: run.is_now("Ready", "False", "ChildRefused"), "pods that are missed")
    cluster.delete(f"{quota}/none")
    until(lambda: run.status.get("phase") == "Training", "training", meanwhile=kubelet.tick)
    job = next(job for job in run.jobs() if "-train-" in job["metadata"]["name"])
    path = f"/apis/batch/v1/namespaces/{run.namespace}/jobs/{job['metadata']['name']}"
    cluster.patch(path, {"metadata": {"labels": {"reflection.training/run-uid": None}}})
    until(lambda: "reflection.training/run-uid" in cluster.get(path)["metadata"]["labels"], "label")
    # When it comes back the Job is to be created again, whose ConfigMap and Service are still there, the one of another spec.
    operator.kill()
    cluster.delete(path)
    run.change(rollout={"workers": 2})
    operator.keep_running(*SHORT_LEASE)
    until(lambda: cluster.find(path), "new Job", meanwhile=kubelet.tick)
    run.change(suspend=True)
    until(lambda: run.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    kubelet.script = lambda _: End()
    run.change(suspend=False)
    until(lambda: cluster.find(run.path) is None, "end of the resource", meanwhile=kubelet.tick)

    asked = {(verb, kind.resource) for kind in (*IN_RUN_NAMESPACES, *IN_OWN_NAMESPACE) for verb in kind.verbs}
    # Asked of whoever names a blocking owner, and never requested.
    asked -= {("update", "reflectiontrainings/finalizers")}
    # The last requests are in the log a moment after their answers.
    until(lambda: requests(cluster, run.namespace) >= asked, "use of every permission")
    assert requests(cluster, run.namespace) == asked


def allowed(cluster: Cluster, kubeconfig: Path, namespace: str) -> set[Right]:
    """All that the holder of a kubeconfig may do in a namespace, as the API server says it."""
    with closing(Cluster(cluster.plane, find_programs().kubectl, kubeconfig)) as asking:
        status = asking.create(REVIEWS, {"spec": {"namespace": namespace}})["status"]
    assert not status["incomplete"], status
    objects = {
        (verb, group, resource, name)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }
    return objects | {
        (verb, path)
        for rule in status["nonResourceRules"]
        for verb in rule["verbs"]
        for path in rule["nonResourceURLs"]
    }


def needed(kinds: Iterable[Kind]) -> set[Right]:
    """What is done with these kinds. Who creates objects cannot be bound to a name."""
    return {
        (verb, kind.group, kind.resource, "" if verb == "create" else kind.only)
        for kind in kinds
        for verb in kind.verbs
    }


def of_anybody(cluster: Cluster, namespace: str) -> set[Right]:
    """What every service account may do in a namespace: ask what it may do, and what the API server knows."""
    place = f"{CORE}/namespaces/{namespace}/serviceaccounts"
    cluster.create(place, {"metadata": {"name": "anybody"}})
    token = cluster.create(f"{place}/anybody/token", {"spec": {}})["status"]["token"]
    return allowed(cluster, cluster.plane.kubeconfig_with_token(f"anybody-{namespace}", token), namespace)


@pytest.mark.parametrize("progress", [True, False], ids=["progress", "no progress"])
@pytest.mark.parametrize("scope", ["everywhere", "own", "others"])
def test_nothing_but_what_is_needed_is_allowed(
    bare: Cluster, tmp_path: Path, scope: str, progress: bool
) -> None:
    """Of the whole cluster, of the namespace with its Lease, of two others: in each of them, and where it has no business."""
    install_crd(bare)
    names = [f"{name}-{scope}-{progress}".lower() for name in ("home", "team-a", "team-b", "stranger")]
    home, *others = names
    for name in names:
        bare.create(f"{CORE}/namespaces", {"metadata": {"name": name}})
    operator = OperatorProcess(
        bare, home, tmp_path / "operator.log",
        everywhere=scope == "everywhere", namespaces=others[:2] if scope == "others" else (), progress=progress,
    )  # fmt: skip
    runs_in = {"everywhere": names, "own": [home], "others": others[:2]}[scope]
    try:
        for name in names:
            wanted = needed(IN_RUN_NAMESPACES if name in runs_in else ())
            wanted |= needed(IN_OWN_NAMESPACE if name == home else ())
            wanted |= needed(FOR_PROGRESS_IN_OWN_NAMESPACE if name == home and progress else ())
            # A ClusterRole counts in every namespace.
            wanted |= needed(FOR_PROGRESS_IN_CLUSTER if progress else ())
            assert allowed(bare, operator.kubeconfig, name) - of_anybody(bare, name) == wanted, name
    finally:
        remove_cluster_roles(bare)


def remove_cluster_roles(cluster: Cluster) -> None:
    """Those that an operator of the whole cluster has, for the next one."""
    for kind in ("clusterroles", "clusterrolebindings"):
        cluster.delete(f"/apis/rbac.authorization.k8s.io/v1/{kind}/reflect-operator")


def test_an_owner_whose_deletion_a_child_blocks_must_be_its_own(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """Where a cluster asks for that, as this one does, the permission that is never requested is needed."""
    role = f"{ROLES.format(run.namespace)}/reflect-operator"
    rules = cluster.get(role)["rules"]
    finalizers = "reflectiontrainings/finalizers"
    cluster.patch(role, {"rules": [rule for rule in rules if rule["resources"] != [finalizers]]})
    operator.start()
    run.apply()
    refused = until(lambda: run.is_now("Ready", "False", "ChildRefused"), "refusal")
    assert "cannot set blockOwnerDeletion" in refused["message"]
    cluster.patch(role, {"rules": rules})
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
