"""The operator dies, sleeps, loses its turn or its network: the run ends as if nothing had been."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.audit import WRITES, done, of_operator
from ...support.cluster import BATCH, Cluster, Obj, until
from ...support.fault_proxy import FaultProxy
from ...support.faults import Exchange
from ...support.kubelet import End, Kubelet, one_crash, run_on
from ...support.operator_process import OperatorProcess
from .conftest import SHORT_LEASE, Run

SLOWER_LEASE = (
    "--lease-duration-seconds", "10", "--lease-renew-deadline-seconds", "8", "--lease-retry-seconds", "0.5",
)  # fmt: skip
NEWS_LIMIT_S = 60
"""A guard: the answers come when all else has been heard of."""


def writes(
    cluster: Cluster, namespace: str, *, verbs: tuple[str, ...] = ("create", "delete")
) -> Counter[str]:
    """What the operator of a namespace did with success."""
    mine = of_operator(cluster, namespace)
    return Counter(done(entry) for entry in mine if entry["verb"] in verbs and done(entry))


def attempts_to_write(cluster: Cluster, namespace: str) -> list[str]:
    """Requests to change anything but the Lease, whatever came of them."""
    return [
        f"{entry['verb']} {entry['objectRef']['resource']} {entry['objectRef'].get('name', '')}"
        for entry in of_operator(cluster, namespace)
        if entry["verb"] in WRITES and entry["objectRef"]["resource"] != "leases"
    ]


def listed_twice(run: Run, cluster: Cluster) -> None:
    """Wait until the operator has looked at everything twice more."""
    lists = writes(cluster, run.namespace, verbs=("list",))["list jobs"]
    until(
        lambda: writes(cluster, run.namespace, verbs=("list",))["list jobs"] >= lists + 2,
        "two lists of everything",
    )


def test_killed_over_and_over(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    kubelet.script = one_crash
    run.apply()
    for stage in ("rollout", "verify", "train", "evaluate"):
        operator.keep_running(*SHORT_LEASE)
        until(lambda stage=stage: f"{stage}-1" in run.job_names(), f"{stage} Job", meanwhile=kubelet.tick)
        operator.kill()
    operator.keep_running(*SHORT_LEASE)
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert run.status["restarts"] == 1
    assert sorted(run.job_names()) == [
        "evaluate-1",
        "report-1",
        "rollout-1",
        "train-1",
        "train-2",
        "verify-1",
    ]
    counted = writes(cluster, run.namespace)
    assert (counted["create jobs"], counted["create configmaps"], counted["delete jobs"]) == (6, 6, 0)


def test_told_to_stop_in_the_middle_of_a_write_and_away_while_the_job_ends(
    run: Run, proxy: FaultProxy, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    """It waits for the answer and does what belongs to it; who comes after it finds all done."""
    operator = OperatorProcess(cluster, run.namespace, tmp_path / "operator.log", server=proxy.endpoint)
    carried_out, told = threading.Event(), threading.Event()

    def late(exchange: Exchange) -> None:
        answer = exchange.forward()
        carried_out.set()
        told.wait(NEWS_LIMIT_S)
        exchange.answer(answer)

    try:
        proxy.inject(late, method="POST", target="/configmaps")
        operator.start(*SHORT_LEASE)
        # What it hears of now comes by its watches: it is all there.
        until(lambda: "found 0 runs" in operator.log(), "first list")
        run.apply()
        assert carried_out.wait(NEWS_LIMIT_S)
        operator.terminate()
        until(lambda: "stopping" in operator.log(), "word of the signal")
        assert operator.exit_code() is None
        told.set()
        assert operator.stopped() == 0
        assert run.job_names() == ["rollout-1"]
        assert [reason for reason, _ in run.events()] == ["Accepted", "RolloutJobCreated"]
        until(lambda: run.jobs()[0]["status"].get("succeeded"), "end of the Job", meanwhile=kubelet.tick)
        operator.start(*SHORT_LEASE)
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
        run.told("Succeeded")
        told_of = Counter(reason for reason, _ in run.events())
        assert told_of.pop("RolloutJobCreated") == 1
        made = (" configmaps ", " jobs ")
        tries = [each for each in attempts_to_write(cluster, run.namespace) if any(map(each.count, made))]
        assert (len(tries), len(set(tries))) == (10, 10), tries
    finally:
        told.set()
        operator.end()
        print(operator.log())


def test_nothing_is_written_when_nothing_happens(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    operator.start("--resync-seconds", "1")
    run.apply()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    version = run.get()["metadata"]["resourceVersion"]
    listed_twice(run, cluster)
    assert run.get()["metadata"]["resourceVersion"] == version


def test_a_job_that_a_queue_holds_is_not_written_to(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    """Kueue's hold is lifted by Kueue alone, however often the operator looks at it. The test is Kueue."""
    kubelet.script = run_on
    operator.start("--resync-seconds", "1")
    run.apply(metadata__labels={"kueue.x-k8s.io/queue-name": "team-a"})
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    run.told("RolloutJobCreated")
    (job,) = run.jobs()
    cluster.patch(job_path(run, job), {"spec": {"suspend": True}})
    until(lambda: run.is_now("Queued", "True", "QuotaWait"), "queued", meanwhile=kubelet.tick)
    until(lambda: is_held(cluster.get(job_path(run, job))), "end of its pods", meanwhile=kubelet.tick)
    # What follows from that is written by now.
    listed_twice(run, cluster)
    version, before = run.get()["metadata"]["resourceVersion"], attempts_to_write(cluster, run.namespace)
    listed_twice(run, cluster)
    assert attempts_to_write(cluster, run.namespace) == before
    assert run.get()["metadata"]["resourceVersion"] == version
    assert [each for each in before if " jobs " in each] == [f"create jobs {job['metadata']['name']}"]
    assert cluster.get(job_path(run, job))["spec"]["suspend"] is True


def job_path(run: Run, job: Obj) -> str:
    return f"{BATCH}/namespaces/{run.namespace}/jobs/{job['metadata']['name']}"


def is_held(job: Obj) -> bool:
    """Whether the Job controller has deleted its pods and says so."""
    status = job["status"]
    held = any(
        each["type"] == "Suspended" and each["status"] == "True" for each in status.get("conditions", [])
    )
    return held and not status.get("active") and not status.get("terminating")


@pytest.fixture
def second(cluster: Cluster, operator: OperatorProcess, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Another replica."""
    process = operator.replica(tmp_path / "second.log")
    yield process
    process.end()
    print(process.log())


def leader_of(cluster: Cluster, namespace: str) -> str:
    lease = cluster.find(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/reflect-operator")
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


def test_another_replica_takes_over(
    run: Run, operator: OperatorProcess, second: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    operator.keep_running(*SHORT_LEASE, "--identity", "first")
    until(lambda: leader_of(cluster, run.namespace) == "first", "leader")
    second.keep_running(*SHORT_LEASE, "--identity", "second")
    assert second.probe("/readyz").status_code == 200, "who waits for his turn is ready"
    leads = [each.probe("/metrics").text.count("\nreflect_leader 1.0\n") for each in (operator, second)]
    assert (leads, "\nreflect_leader 0.0\n" in second.probe("/metrics").text) == ([1, 0], True)
    run.apply()
    until(lambda: run.job_names() == ["rollout-1"], "rollout Job")
    operator.kill()
    until(lambda: leader_of(cluster, run.namespace) == "second", "second leader")
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)


def test_a_leader_that_stops_in_order_lets_go_at_once(
    run: Run, operator: OperatorProcess, second: OperatorProcess, cluster: Cluster
) -> None:
    """With the usual times the other replica would have to wait for 15 s."""
    operator.start("--identity", "first")
    until(lambda: leader_of(cluster, run.namespace) == "first", "leader")
    second.start("--identity", "second")
    second.probe("/readyz")
    assert operator.stop() == 0
    stopped = time.monotonic()
    until(lambda: leader_of(cluster, run.namespace) == "second", "second leader")
    assert time.monotonic() - stopped < 10


def test_a_leader_that_slept_does_not_write(
    run: Run, operator: OperatorProcess, second: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    kubelet.script = run_on
    operator.start(*SHORT_LEASE, "--identity", "first")
    run.apply()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    second.keep_running(*SHORT_LEASE, "--identity", "second")
    operator.pause()
    until(lambda: leader_of(cluster, run.namespace) == "second", "second leader")
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    run.told("Succeeded")
    before = attempts_to_write(cluster, run.namespace)
    operator.wake()
    assert until(lambda: operator.exit_code(), "end of the first replica") == 1
    assert attempts_to_write(cluster, run.namespace) == before
    assert "no longer the leader" in operator.log()


def test_a_leader_that_slept_does_not_do_what_has_become_due(
    run: Run, proxy: FaultProxy, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    """Its Lease has gone to another replica, which sleeps, too: all is left for it to do, and it hears of that first."""
    kubelet.script = run_on
    first = OperatorProcess(cluster, run.namespace, tmp_path / "first.log", server=proxy.endpoint)
    second, told = first.replica(tmp_path / "second.log"), threading.Event()

    def late(exchange: Exchange) -> None:
        """The news of the Lease comes after all other."""
        told.wait(NEWS_LIMIT_S)
        exchange.answer(exchange.forward())

    try:
        first.start(*SLOWER_LEASE, "--identity", "first")
        run.apply()
        until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
        run.told("RolloutJobCreated")
        second.start(*SLOWER_LEASE, "--identity", "second")
        second.probe("/readyz")
        first.pause()
        until(lambda: leader_of(cluster, run.namespace) == "second", "second leader")
        second.pause()
        kubelet.script = lambda _: End()
        until(lambda: run.jobs()[0]["status"].get("succeeded"), "end of the Job", meanwhile=kubelet.tick)
        before = attempts_to_write(cluster, run.namespace)
        proxy.inject(late, target="/leases", times=100)
        first.wake()
        until(lambda: "no longer sure to be the leader" in first.log(), "something that it would do")
        told.set()
        assert until(first.exit_code, "end of the first replica") == 1
        assert attempts_to_write(cluster, run.namespace) == before
        second.wake()
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    finally:
        for each in (first, second):
            each.end()
            print(each.log())
