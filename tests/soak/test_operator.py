"""The operator's way to the API server fails in every other way, at every write and for long: `make soak ONLY=operator`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench._records import metric, write

from ..integration.operator.conftest import Run
from ..support.cluster import Cluster, Obj, until
from ..support.crash_case import SPEC, Case, Outcome, differences, every_write
from ..support.fault_proxy import FaultProxy
from ..support.faults import Act, refused_by_api, reset_before, watch_expired
from ..support.forked_operator import ForkedOperator
from ..support.kubelet import End, Kubelet
from ..unit.api.resources import resource

pytestmark = pytest.mark.timeout(7200)

PARALLEL = 12
RETRY_AFTER_S = 2
OUTAGE_S = 60
MOVES_ON_S = 71
"""After an outage of a minute began."""
QUIET_S = 60
TAKES_OVER_S = 20
SILENCE_IS_OVER_S = 180
MEASURED = 3
Figure = dict[str, Any]
POD = ("--identity", "pod-1")
FAULTS: dict[str, Act] = {
    "conflict": refused_by_api(409, "Conflict"),
    "too-many-requests": refused_by_api(429, "TooManyRequests", Retry_After=str(RETRY_AFTER_S)),
    "internal-error": refused_by_api(500, "InternalError"),
    "reset": reset_before,
}


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figure]]:
    """What is measured on the way; written down where nothing was left out, for the page of the benchmarks."""
    found: list[Figure] = []
    yield found
    if len(found) == MEASURED:
        write("operator_soak", found, {})


@pytest.fixture(scope="module")
def run() -> Obj:
    return resource(**{f"spec__{name}": value for name, value in SPEC.items()})


@pytest.fixture(scope="module")
def calm(cluster: Cluster, run: Obj, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How it goes when nothing happens, with a minute of silence behind it."""
    outcome = Case(cluster, tmp_path_factory.mktemp("calm"), run).carry_through(quiet=QUIET_S)
    assert outcome.after_the_end == []
    return outcome


@pytest.mark.parametrize("name", FAULTS)
def test_every_write_is_refused_once(
    cluster: Cluster,
    run: Obj,
    calm: Outcome,
    tmp_path: Path,
    name: str,
) -> None:
    outcomes = every_write(cluster, tmp_path, run, calm, lambda _: FAULTS[name], PARALLEL)
    assert differences(cluster, calm, outcomes, starts=1) == []


def test_retry_after_is_kept(cluster: Cluster, run: Obj, tmp_path: Path) -> None:
    """The Job that is refused comes again, and not before it may."""
    case = Case(cluster, tmp_path, run)
    case.carry_through(FAULTS["too-many-requests"], method="POST", target="/jobs$")
    first, second = [
        moment
        for request, moment in zip(case.proxy.requests, case.proxy.moments, strict=True)
        if request.startswith("POST ") and request.endswith("/jobs")
    ][:2]
    assert second - first >= RETRY_AFTER_S


@pytest.mark.parametrize("kind", ["reflectiontrainings", "jobs", "pods"])
def test_a_watch_is_told_that_its_place_is_gone(
    cluster: Cluster,
    run: Obj,
    calm: Outcome,
    tmp_path: Path,
    kind: str,
) -> None:
    case = Case(cluster, tmp_path, run)
    outcome = case.carry_through(watch_expired, method="GET", target=f"/{kind}.*watch=true")
    assert differences(cluster, calm, [outcome], starts=1) == []


@pytest.mark.parametrize("which", [0, 1], ids=["the operator's own", "that of its watch"])
@pytest.mark.parametrize("kind", ["reflectiontrainings", "jobs", "pods"])
def test_a_list_is_told_that_its_page_has_expired(
    cluster: Cluster,
    run: Obj,
    calm: Outcome,
    tmp_path: Path,
    kind: str,
    which: int,
) -> None:
    target = rf"/{kind}\?(?!.*watch=true)"
    outcome = Case(cluster, tmp_path, run).carry_through(
        refused_by_api(410, "Expired"), method="GET", target=target, after=which
    )
    assert differences(cluster, calm, [outcome], starts=1) == []


@pytest.fixture
def operator(
    cluster: Cluster,
    namespace: str,
    proxy: FaultProxy,
    tmp_path: Path,
) -> Iterator[ForkedOperator]:
    process = ForkedOperator(cluster, namespace, tmp_path / "operator.log", server=proxy.endpoint)
    yield process
    process.end()
    print(process.log())


class Kept:
    """A kubelet that starts the operator's container again when it has ended, as long as a test waits."""

    def __init__(self, kubelet: Kubelet, operator: ForkedOperator) -> None:
        self._kubelet, self._operator = kubelet, operator
        self.starts = 1
        operator.start(*POD)

    def tick(self) -> None:
        self._kubelet.tick()
        if self._operator.exit_code() is not None:
            self._operator.start(*POD)
            self.starts += 1


def test_an_outage_of_a_minute(
    cluster: Cluster,
    namespace: str,
    proxy: FaultProxy,
    operator: ForkedOperator,
    figures: list[Figure],
) -> None:
    """While it lasts the rollout ends. Nobody but the operator feels the outage."""
    run, kubelet = Run(cluster, namespace), Kubelet(cluster, namespace, lambda _: None)
    kept = Kept(kubelet, operator)
    run.apply()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kept.tick)
    began = time.monotonic()
    proxy.down = True
    kubelet.script = lambda _: End()
    with ThreadPoolExecutor(1) as waiting:
        over = waiting.submit(time.sleep, OUTAGE_S)
        until(over.done, "end of the outage", meanwhile=kept.tick, patience=2 * OUTAGE_S)
    proxy.down = False
    until(lambda: "verify-1" in run.job_names(), "verify Job", meanwhile=kept.tick, patience=2 * MOVES_ON_S)
    took = time.monotonic() - began
    print(f"moved on {took:.1f} s after an outage of {OUTAGE_S} s began, with {kept.starts} starts")
    figures.append(metric(f"moved on after an outage of {OUTAGE_S} s began", took, "s", "<=", MOVES_ON_S))
    assert took <= MOVES_ON_S
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kept.tick)
    assert run.status["restarts"] == 0


def test_watches_that_fall_silent(
    cluster: Cluster,
    namespace: str,
    proxy: FaultProxy,
    operator: ForkedOperator,
    figures: list[Figure],
) -> None:
    """No end of a connection tells of it."""
    run, kubelet = Run(cluster, namespace), Kubelet(cluster, namespace, lambda _: None)
    kept = Kept(kubelet, operator)
    run.apply()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kept.tick)
    proxy.silence()
    kubelet.script = lambda _: End()
    began = time.monotonic()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kept.tick, patience=300)
    took = time.monotonic() - began
    print(f"over {took:.1f} s after all watches fell silent")
    figures.append(metric("run over after all watches fell silent", took, "s", "<=", SILENCE_IS_OVER_S))
    assert kept.starts == 1


def test_another_replica_takes_over_in_time(
    cluster: Cluster,
    namespace: str,
    operator: ForkedOperator,
    tmp_path: Path,
    figures: list[Figure],
) -> None:
    """With the Lease's usual times."""
    run, kubelet = Run(cluster, namespace), Kubelet(cluster, namespace)
    operator.start("--identity", "first")
    second = operator.replica(tmp_path / "second.log")
    until(lambda: "leader since now" in operator.log(), "leader")
    second.start("--identity", "second")
    try:
        second.probe("/readyz")
        operator.kill()
        killed = time.monotonic()
        run.apply()
        until(lambda: run.status.get("phase"), "status")
        took = time.monotonic() - killed
        print(f"the other replica wrote {took:.1f} s after the leader was killed")
        figures.append(metric("first write of another replica", took, "s", "<=", TAKES_OVER_S))
        assert took <= TAKES_OVER_S
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    finally:
        second.end()
