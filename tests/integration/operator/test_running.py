"""The operator as a process: health, metrics, logs, and what it says when something is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from reflection_api.stages import RUN_STAGES

from ...support.cluster import CORE, Cluster, until
from ...support.crd import CRDS, install_crd
from ...support.fault_proxy import FaultProxy
from ...support.faults import Exchange, refused_by_api
from ...support.kubelet import End, Kubelet, Wait, run_on
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish

KINDS = ("reflectiontrainings", "jobs", "pods")
ERRORS = ("api", "connection", "refused", "bug")
GUARD_S = 60
DEAD_S = 4
"""A watch of which nothing is heard for so long is taken for dead."""


def test_health_readiness_and_metrics(
    run: Run, cluster: Cluster, proxy: FaultProxy, kubelet: Kubelet, tmp_path: Path
) -> None:
    """One worker, whose first write is refused and whose first Job takes its time, while two other runs wait."""
    operator = OperatorProcess(cluster, run.namespace, tmp_path / "operator.log", server=proxy.endpoint)
    asked, told = threading.Event(), threading.Event()

    def late(exchange: Exchange) -> None:
        asked.set()
        told.wait(GUARD_S)
        exchange.answer(exchange.forward())

    try:
        proxy.inject(refused_by_api(500, "InternalError"), method="PUT", target="/status")
        proxy.inject(late, method="POST", target="/jobs")
        began = time.monotonic()
        operator.start("--workers", "1")
        kubelet.script = run_on
        run.apply()
        assert asked.wait(GUARD_S)
        since = time.monotonic()
        for name in ("second", "third"):
            Run(cluster, run.namespace, name).apply(spec__suspend=True)
        until(lambda: operator.metric("reflect_queue_depth") == 2, "queue")
        assert operator.metric("reflect_reconcile_seconds_count") == 1, "the look that failed"
        held = time.monotonic() - since
        told.set()
        until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
        # The operator counts a write when it has heard of its success, a moment after the API server shows it.
        trainings = partial(operator.metric, "reflect_trainings")
        until(lambda: (trainings(phase="Rollout"), trainings(phase="Suspended")) == (1, 2), "phases")
        until(lambda: operator.metric("reflect_queue_depth") == 0, "end of the queue")
        looks, errors = operator.metric("reflect_reconcile_seconds_count"), "reflect_reconcile_errors_total"
        assert looks >= 4
        assert held <= operator.metric("reflect_reconcile_seconds_sum") < time.monotonic() - began
        assert [operator.metric(errors, kind=kind) for kind in ERRORS] == [1, 0, 0, 0]
        requests = partial(operator.metric, "reflect_api_requests_total")
        assert requests(verb="update", kind="reflectiontrainings/status", code="500") == 1
        assert requests(verb="create", kind="jobs", code="201") == 1
        assert until(lambda: operator.probe("/readyz").is_success, "readiness")
        assert operator.probe("/healthz").text == "ok\n"
        assert operator.metric("reflect_leader") == 1
        ages = [operator.metric("reflect_watch_age_seconds", kind=kind) for kind in KINDS]
        assert all(0 < age < time.monotonic() - began for age in ages), ages
        assert "countdown" not in operator.probe("/metrics").text

        finish(run, kubelet)
        until(lambda: trainings(phase="Succeeded") == 1, "phase")
        assert requests(verb="create", kind="jobs", code="201") == 5
        ends = [operator.metric("reflect_stage_seconds_count", stage=stage) for stage in RUN_STAGES]
        assert ends == [1] * 5
        assert operator.metric("reflect_reconcile_seconds_count") > looks
        assert [operator.metric(errors, kind=kind) for kind in ERRORS] == [1, 0, 0, 0]
    finally:
        told.set()
        operator.end()
        print(operator.log())


def test_a_dead_watch_is_a_reason_to_be_restarted_and_a_live_one_is_none(
    run: Run, cluster: Cluster, proxy: FaultProxy, kubelet: Kubelet, tmp_path: Path
) -> None:
    operator = OperatorProcess(cluster, run.namespace, tmp_path / "operator.log", server=proxy.endpoint)
    operator.start("--watch-dead-seconds", str(DEAD_S))
    try:
        kubelet.script = run_on
        run.apply()
        until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
        jobs = f"/apis/batch/v1/namespaces/{run.namespace}/jobs"
        names = [f"{jobs}/{each['metadata']['name']}" for each in run.jobs()]
        names += [
            f"{CORE}/namespaces/{run.namespace}/pods/{each['metadata']['name']}" for each in kubelet.pods()
        ]

        def chatter() -> None:
            """Something is heard of each kind."""
            note = {"metadata": {"annotations": {"said": str(time.monotonic())}}}
            for path in (*names, run.path):
                cluster.patch(path, note)

        chatter()
        until(lambda: operator.probe("/healthz").is_success, "health", meanwhile=chatter)
        lived = time.monotonic()
        while time.monotonic() - lived < 2 * DEAD_S:
            chatter()
            assert operator.probe("/healthz").is_success
        proxy.silence()
        until(lambda: operator.probe("/healthz").status_code == 503, "bad health", meanwhile=chatter)
        assert operator.probe("/readyz").status_code == 503
    finally:
        operator.end()


def test_watches_that_do_not_begin_have_as_long_as_others_before_that_is_a_reason(
    cluster: Cluster, namespace: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    operator = OperatorProcess(cluster, namespace, tmp_path / "operator.log", server=proxy.endpoint)
    proxy.inject(refused_by_api(500, "InternalError"), method="GET", target="watch=true", times=10_000)
    operator.start("--watch-dead-seconds", str(DEAD_S))
    try:
        until(lambda: "found 0 runs" in operator.log(), "first list")
        began = time.monotonic()
        assert operator.probe("/healthz").text == "ok\n"
        assert operator.probe("/readyz").text == "ok\n"
        ages = [operator.metric("reflect_watch_age_seconds", kind=kind) for kind in KINDS]
        assert all(0 < age < DEAD_S for age in ages), ages
        until(lambda: operator.probe("/healthz").status_code == 503, "bad health")
        assert time.monotonic() - began > DEAD_S / 2
        assert operator.probe("/readyz").status_code == 503
    finally:
        operator.end()
        print(operator.log())


OF_THE_PROCESS = (
    "health and metrics on port ", "waiting to become the leader ", "leader since now", "found ", "stopping",
)  # fmt: skip
"""How the lines begin that concern no run."""


def test_each_line_of_a_json_log_names_the_run(run: Run, operator: OperatorProcess, kubelet: Kubelet) -> None:
    """Also those of a child that is refused, and of a hindrance."""
    operator.start("--log-format", "json")
    run.apply(spec__pods={"common": {"env": [{"name": "A=B", "value": "3"}]}})
    until(lambda: run.is_now("Stalled", "True", "ChildRefused"), "refusal")
    kubelet.script = lambda _: Wait("ImagePullBackOff", 'image "trainer:typo" not found')
    run.change(pods={"common": {"env": []}})
    until(lambda: run.is_now("Ready", "False", "ImagePullFailed"), "hindrance", meanwhile=kubelet.tick)
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    run.told("Succeeded")
    assert operator.stop() == 0
    lines = [json.loads(line) for line in operator.log().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    others = [line for line in lines if not line["message"].startswith(OF_THE_PROCESS)]
    assert {(line.get("namespace"), line.get("name")) for line in others} == {(run.namespace, "countdown")}
    told = [line["message"].split(":")[0].split(",")[0] for line in others]
    assert {"refused", "ChildRefused", "ImagePullFailed", "TrainingStarted", "Succeeded"} <= set(told)


def test_a_single_replica_needs_no_lease_and_tells_more_where_it_is_asked_to(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    operator.start("--no-leader-election", "--log-level", "debug")
    run.apply()
    finish(run, kubelet)
    assert operator.metric("reflect_leader") == 1
    assert cluster.items(f"/apis/coordination.k8s.io/v1/namespaces/{run.namespace}/leases") == []
    assert operator.stop() == 0
    assert {line.split()[1] for line in operator.log().splitlines()} >= {"DEBUG", "INFO"}
    assert "the leader" not in operator.log()


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
        # On a machine with much else to do, a process alone takes most of a minute to end and to begin.
        until(
            lambda: again.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick, patience=180
        )
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
