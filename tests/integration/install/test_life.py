"""The life of a release on a real API server: upgraded in the middle of a run, rolled back, taken away, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.cluster import CORE, RUNS, Cluster, Obj, until
from ...support.crd import CRDS
from ...support.helm import CHART, PREVIOUS, Helm, previous_chart
from ...support.kubelet import End, Kubelet, run_on, stage_of
from ..operator.conftest import SHORT_LEASE, Run
from .releases import RESTRICTED, ReleasedOperator, make_namespace

CRD = f"{CRDS}/reflectiontrainings.reflection.training"
NAME = "reflect-operator"
IN_OPS = ("--namespace", "ops")


@pytest.fixture
def kubelet(empty_cluster: Cluster) -> Kubelet:
    return Kubelet(empty_cluster, "ml")


@pytest.fixture
def operators() -> Iterator[list[ReleasedOperator]]:
    """Those that a test starts."""
    started: list[ReleasedOperator] = []
    yield started
    for operator in started:
        operator.end()
        print(operator.log())


def released(cluster: Cluster) -> list[str]:
    """Everything in the cluster that belongs to a release."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    listed = cluster.kubectl(
        "get",
        ",".join(kinds),
        "-A",
        "-l",
        "app.kubernetes.io/managed-by=Helm",
        "-o",
        "name",
        "--ignore-not-found",
    )
    assert listed.returncode == 0, listed.stderr
    return listed.stdout.split()


def identities(run: Run, kubelet: Kubelet) -> set[str]:
    """UIDs of the Jobs and the pods of a run."""
    return {obj["metadata"]["uid"] for obj in (*run.jobs(), *kubelet.pods())}


def columns(cluster: Cluster) -> list[str]:
    """What `kubectl get` shows of a run."""
    return cluster.kubectl("get", "-n", "ml", "reflectiontrainings").stdout.splitlines()[0].split()


def has_listed(operator: ReleasedOperator, *, starts: int) -> bool:
    """Whether it has seen the run since its last start; a change of the CRD makes it list anew, too."""
    lives = operator.log().split("leader since now")
    return len(lives) == starts + 1 and "found 1 runs" in lives[-1]


def test_a_release_and_its_runs(
    admin: Helm, empty_cluster: Cluster, kubelet: Kubelet, operators: list[ReleasedOperator], tmp_path: Path
) -> None:
    cluster = empty_cluster
    make_namespace(cluster, "ops", RESTRICTED)
    make_namespace(cluster, "ml", RESTRICTED)
    admin.did("install", NAME, previous_chart(tmp_path), *IN_OPS)
    until(lambda: cluster.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    # The namespace enforces the restricted Pod Security Standard, and the pod is there.
    until(lambda: cluster.items(f"{CORE}/namespaces/ops/pods"), "pod of the operator")

    operator = ReleasedOperator(cluster, "ops", NAME, tmp_path / "operator.log")
    operators.append(operator)
    operator.keep_running(*SHORT_LEASE)
    run = Run(cluster, "ml")
    run.apply()
    kubelet.script = lambda pod: End() if stage_of(pod) == "rollout" else None
    until(lambda: [pod for pod in kubelet.pods() if stage_of(pod) == "verify"], "pod", meanwhile=kubelet.tick)

    # upgraded in the middle of the run
    before = identities(run, kubelet)
    # The table of a CRD without columns has but the name and the age.
    assert columns(cluster) == ["NAME", "AGE"]
    admin.did("upgrade", NAME, CHART, *IN_OPS)
    until(lambda: columns(cluster)[:3] == ["NAME", "STATUS", "STAGE"], "columns of the new version")
    assert operator.stop() == 0
    assert operator.deployment()["metadata"]["labels"]["helm.sh/chart"] != f"{NAME}-{PREVIOUS}"
    operator.keep_running(*SHORT_LEASE)
    until(lambda: has_listed(operator, starts=2), "first list of the new version")
    assert identities(run, kubelet) == before

    # and rolled back
    admin.did("rollback", NAME, "1", *IN_OPS)
    assert operator.deployment()["metadata"]["labels"]["helm.sh/chart"] == f"{NAME}-{PREVIOUS}"
    assert operator.stop() == 0
    operator.keep_running(*SHORT_LEASE)
    until(lambda: has_listed(operator, starts=3), "first list of the old version")
    assert identities(run, kubelet) == before
    admin.did("upgrade", NAME, CHART, *IN_OPS)
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert run.status["restarts"] == 0
    assert len(run.jobs()) == 5

    # taken away: the CRD and the runs stay, one of them in the middle of its work
    kubelet.script = run_on
    later = Run(cluster, "ml", "later")
    later.apply()
    until(lambda: later.jobs()[5:], "Job of the later run", meanwhile=kubelet.tick)
    assert operator.stop() == 0
    jobs = identities(later, kubelet)
    admin.did("uninstall", NAME, *IN_OPS)
    crd = "customresourcedefinition.apiextensions.k8s.io/reflectiontrainings.reflection.training"
    until(lambda: released(cluster) == [crd], "end of everything but the CRD")
    assert run.is_now("Succeeded", "True")
    assert identities(later, kubelet) == jobs

    # and back again, under another name too
    refused = admin.run("install", "blue", CHART, *IN_OPS)
    assert "invalid ownership metadata" in refused.stderr
    admin.did("install", "blue", CHART, *IN_OPS, "--take-ownership")
    assert owner(cluster.get(CRD)) == "blue"
    back = ReleasedOperator(cluster, "ops", f"blue-{NAME}", tmp_path / "back.log")
    operators.append(back)
    back.keep_running(*SHORT_LEASE)
    kubelet.script = lambda _: End()
    until(lambda: later.is_now("Succeeded", "True"), "end of the later run", meanwhile=kubelet.tick)
    assert later.status["restarts"] == 0
    assert back.stop() == 0

    # Without keep the CRD goes, and the runs with it.
    admin.did("upgrade", "blue", CHART, *IN_OPS, values={"crds": {"keep": False}})
    admin.did("uninstall", "blue", *IN_OPS)
    until(lambda: cluster.find(CRD) is None, "end of the CRD")
    until(lambda: not cluster.answers(f"{RUNS}/reflectiontrainings"), "end of the API")


def owner(obj: Obj) -> str:
    """The release that an object belongs to."""
    return str(obj["metadata"]["annotations"]["meta.helm.sh/release-name"])
