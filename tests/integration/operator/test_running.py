"""The operator as a process: permissions, health, metrics, logs, and what it says when something is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from reflection_operator.kube.kinds import IN_OWN_NAMESPACE, IN_RUN_NAMESPACES
from reflection_operator.kube.known import read_run
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.observed import Observed

from ...support.cluster import CORE, Cluster, Obj, until
from ...support.crd import CRDS, install_crd
from ...support.kubelet import End, Kubelet, run_on, stage_of
from ...support.operator_process import OperatorProcess
from .conftest import SHORT_LEASE, Run


def requests(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """Verb and resource of every request of the operator of a namespace that was allowed."""
    user = f"system:serviceaccount:{namespace}:reflect-operator"
    entries = [json.loads(line) for line in cluster.plane.audit_log.read_text().splitlines()]
    mine = [entry for entry in entries if entry["user"].get("username") == user and "objectRef" in entry]
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
    kubelet.script = lambda pod: None if stage_of(pod) == "train" else End()
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
    # When it comes back the Job is to be created again, whose ConfigMap and Service are still there.
    operator.kill()
    cluster.delete(path)
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


def test_it_cannot_do_anything_else(cluster: Cluster, operator: OperatorProcess, namespace: str) -> None:
    def can(verb: str, resource: str, place: str) -> bool:
        answer = cluster.kubectl(
            "auth", "can-i", verb, resource, "-n", place,
            "--as", f"system:serviceaccount:{namespace}:reflect-operator",
        )  # fmt: skip
        return answer.stdout.strip() == "yes"

    assert can("create", "jobs", namespace)
    for verb, resource in (
        ("get", "secrets"), ("list", "secrets"), ("delete", "pods"), ("create", "pods"), ("update", "configmaps"),
        ("delete", "configmaps"), ("update", "reflectiontrainings"), ("create", "serviceaccounts/token"),
    ):  # fmt: skip
        assert not can(verb, resource, namespace), (verb, resource)
    assert not can("create", "jobs", "default")
    assert not can("list", "reflectiontrainings", "default")


def test_health_readiness_and_metrics(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    kubelet.script = run_on
    operator.start()
    run.apply()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    assert until(lambda: operator.probe("/readyz").is_success, "readiness")
    assert operator.probe("/healthz").text == "ok\n"
    # The operator counts a write when it has heard of its success, a moment after the API server shows it.
    metrics = until(
        lambda: (
            'reflect_trainings{phase="Rollout"} 1.0' in (text := operator.probe("/metrics").text) and text
        ),
        "phase in the metrics",
    )
    assert "reflect_leader 1.0" in metrics
    assert 'reflect_api_requests_total{code="201",kind="jobs",verb="create"} 1.0' in metrics
    assert "countdown" not in metrics
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    metrics = operator.probe("/metrics").text
    assert 'reflect_stage_seconds_count{stage="train"} 1.0' in metrics


def test_a_silent_watch_is_a_reason_to_be_restarted(operator: OperatorProcess, run: Run) -> None:
    """The API server says something once a minute: a limit of a second is always exceeded."""
    operator.start("--watch-dead-seconds", "1")
    # A bookmark or the first answer of a watch may come between two probes, and all is well for a second.
    for path in ("/healthz", "/readyz"):

        def dead(path: str = path) -> bool:
            answer = operator.probe(path)
            return answer.status_code == 503 and "nothing was heard of" in answer.text

        until(dead, f"bad health at {path}")


def test_each_line_of_a_json_log_names_the_run(run: Run, operator: OperatorProcess, kubelet: Kubelet) -> None:
    operator.start("--log-format", "json")
    run.apply()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert operator.stop() == 0
    lines = [json.loads(line) for line in operator.log().splitlines()]
    about = [line for line in lines if line["message"].startswith("Succeeded: ")]
    assert [(line["namespace"], line["name"]) for line in about] == [(run.namespace, "countdown")]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_the_crd_comes_late_and_goes_away_for_the_whole_cluster(bare: Cluster, tmp_path: Path) -> None:
    bare.create(f"{CORE}/namespaces", {"metadata": {"name": "ops"}})
    bare.create(f"{CORE}/namespaces", {"metadata": {"name": "ml"}})
    operator = OperatorProcess(bare, "ops", tmp_path / "operator.log", everywhere=True)
    operator.keep_running()
    try:
        until(lambda: "is the CustomResourceDefinition installed?" in operator.log(), "hint in the log")
        assert operator.probe("/readyz").status_code == 503
        install_crd(bare)
        run, kubelet = Run(bare, "ml"), Kubelet(bare, "ml")
        run.apply()
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
        # The garbage collector learns of a new kind within half a minute.
        bare.delete(run.path)
        until(lambda: not bare.items("/apis/batch/v1/jobs"), "end of the Jobs", meanwhile=kubelet.tick)
        Run(bare, "ml", "other").apply()
        until(lambda: bare.items("/apis/batch/v1/jobs"), "Job")
        bare.delete(f"{CRDS}/reflectiontrainings.reflection.training")
        until(lambda: bare.find(f"{CRDS}/reflectiontrainings.reflection.training") is None, "end of the CRD")
        until(lambda: not bare.items("/apis/batch/v1/jobs"), "end of the Jobs", meanwhile=kubelet.tick)
        # Nothing is left to watch: it ends, and is started again as a kubelet does it.
        install_crd(bare)
        again = Run(bare, "ml", "again")
        again.apply()
        until(lambda: again.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    finally:
        operator.end()
        print(operator.log())


def test_without_a_cluster_it_says_what_to_do() -> None:
    command = [sys.executable, "-m", "reflection_operator", "--kubeconfig", "/no/such/file"]
    answer = subprocess.run(command, text=True, capture_output=True, check=False)
    assert answer.returncode == 1
    assert "/no/such/file" in answer.stderr
    assert "set KUBECONFIG or --kubeconfig" in answer.stderr
    assert "Traceback" not in answer.stderr
