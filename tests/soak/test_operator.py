"""The operator's way to the API server fails in every other way, at every write and for long: `make soak ONLY=operator`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench._records import metric, write

from ..integration.operator.conftest import Run
from ..support.cluster import Cluster, until
from ..support.crash_case import AS_POD, Case, Journey, every_write
from ..support.crash_journeys import DELETED, FAILED, RESTORED, TO_THE_END, TWO_ROUNDS
from ..support.crash_oracle import CLEANED_TWICE, GONE, NOTHING, Outcome, differences
from ..support.fault_proxy import FaultProxy
from ..support.faults import Act, Exchange, lose_answer, refused_by_api, reset_before, watch_expired
from ..support.forked_operator import ForkedOperator
from ..support.kubelet import Kubelet, one_crash, run_on

pytestmark = pytest.mark.timeout(7200)

PARALLEL = 12
RETRY_AFTER_S = 2
OUTAGE_S = 60
MOVES_ON_S = 71
"""After an outage of a minute began."""
QUIET_S = 60
TAKES_OVER_S = 20
SILENCE_IS_OVER_S = 180
MEASURED = 4
CREATED_JOBS = r"/jobs(\?|$)"
"""In the target of a POST."""
Figure = dict[str, Any]
FAULTS: dict[str, Act] = {
    "conflict": refused_by_api(409, "Conflict"),
    "too-many-requests": refused_by_api(429, "TooManyRequests", Retry_After=str(RETRY_AFTER_S)),
    "internal-error": refused_by_api(500, "InternalError"),
    "reset": reset_before,
}
JOURNEYS = {"to the end": TO_THE_END, "two rounds": TWO_ROUNDS, "deleted": DELETED, "failed": FAILED}
ALONE = ("--no-leader-election",)
OUTAGES = {"with a Lease": AS_POD, "without a Lease": ALONE}
HARM: list[tuple[Callable[[Case], Act], int]] = [(lambda case: case.kill, 2), (lambda _: lose_answer, 1)]
"""What else strikes each write, and how often an operator is started then."""


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figure]]:
    """What is measured on the way; written down where nothing was left out, for the page of the benchmarks."""
    found: list[Figure] = []
    yield found
    if len(found) == MEASURED:
        write("operator_soak", found, {})


@pytest.fixture(scope="module")
def calm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How it goes when nothing happens, with a minute of silence behind it."""
    outcome = Case(cluster, tmp_path_factory.mktemp("calm"), TO_THE_END).carry_through(quiet=QUIET_S)
    assert outcome.after_the_end == []
    return outcome


@pytest.fixture(scope="module")
def calm_journeys(
    cluster: Cluster, calm: Outcome, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Outcome]:
    """How each journey goes when nothing happens."""
    known = {"to the end": calm}

    def find(name: str) -> Outcome:
        if name not in known:
            known[name] = Case(cluster, tmp_path_factory.mktemp("calm"), JOURNEYS[name]).carry_through()
        return known[name]

    return find


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("name", FAULTS)
def test_every_write_is_refused_once(
    cluster: Cluster,
    calm_journeys: Callable[[str], Outcome],
    tmp_path: Path,
    name: str,
    journey: str,
) -> None:
    """Where the refusal names a time, the same request does not come again before."""
    calm, struck = calm_journeys(journey), list[Struck]()

    def noted(case: Case) -> Act:
        def act(exchange: Exchange) -> None:
            request = " ".join(exchange.request.start.split(" ")[:2])
            struck.append(Struck(case.proxy, request, time.monotonic()))
            FAULTS[name](exchange)

        return act

    outcomes = every_write(cluster, tmp_path, JOURNEYS[journey], calm, noted, PARALLEL)
    repeatable = CLEANED_TWICE if journey == "deleted" else NOTHING
    found = differences(cluster, calm, outcomes, starts=1, repeatable=repeatable)
    if name == "too-many-requests":
        found += [
            f"{each.request} came again after {again:.2f} s"
            for each in struck
            if (again := each.came_again_after()) < RETRY_AFTER_S
        ]
        assert any(each.came_again_after() < math.inf for each in struck)
    assert not found, "\n".join(found)


class Struck(NamedTuple):
    """A request that met a fault."""

    proxy: FaultProxy
    request: str
    """Method and target."""
    moment: float

    def came_again_after(self) -> float:
        """Seconds until there was another with this method and target; infinite where none was."""
        came = zip(self.proxy.requests, self.proxy.moments, strict=True)
        again = (at - self.moment for request, at in came if request == self.request and at > self.moment)
        return next(again, math.inf)


@pytest.mark.parametrize(("act", "starts"), HARM, ids=["killed", "the answer is lost"])
def test_two_rounds_killed_after_every_write_or_not_answered(
    cluster: Cluster,
    calm_journeys: Callable[[str], Outcome],
    tmp_path: Path,
    act: Callable[[Case], Act],
    starts: int,
) -> None:
    calm = calm_journeys("two rounds")
    assert (calm.account.phase, calm.account.restarts, calm.endings) == ("Succeeded", 1, ["Unknown", "True"])
    assert {name[:2] for name in calm.account.jobs} == {"r1", "r2"}
    outcomes = every_write(cluster, tmp_path, TWO_ROUNDS, calm, act, PARALLEL)
    found = differences(cluster, calm, outcomes, starts=starts)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("act", "starts"),
    [
        *HARM,
        *((lambda _, act=act: act, 1) for act in FAULTS.values()),
    ],
    ids=["killed", "the answer is lost", *FAULTS],
)
def test_children_that_were_deleted_come_back(
    cluster: Cluster, tmp_path: Path, act: Callable[[Case], Act], starts: int
) -> None:
    """It takes the operator twenty seconds to notice."""
    calm = Case(cluster, tmp_path, RESTORED).carry_through()
    assert (calm.account, calm.after_the_end) == (GONE, [])
    outcomes = every_write(cluster, tmp_path, RESTORED, calm, act, PARALLEL)
    assert len(outcomes) >= 2
    found = differences(cluster, calm, outcomes, starts=starts)
    assert not found, "\n".join(found)


def test_retry_after_is_kept(cluster: Cluster, tmp_path: Path) -> None:
    """The Job that is refused comes again, and not before it may."""
    case = Case(cluster, tmp_path, TO_THE_END)
    assert case.carry_through(FAULTS["too-many-requests"], method="POST", target=CREATED_JOBS).struck
    first, second = [
        moment
        for request, moment in zip(case.proxy.requests, case.proxy.moments, strict=True)
        if re.match(rf"POST .*{CREATED_JOBS}", request)
    ][:2]
    assert second - first >= RETRY_AFTER_S


@pytest.mark.parametrize("kind", ["reflectiontrainings", "jobs", "pods"])
def test_a_watch_is_told_that_its_place_is_gone(
    cluster: Cluster,
    calm: Outcome,
    tmp_path: Path,
    kind: str,
) -> None:
    case = Case(cluster, tmp_path, TO_THE_END)
    outcome = case.carry_through(watch_expired, method="GET", target=f"/{kind}.*watch=true")
    found = differences(cluster, calm, [outcome], starts=1)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("which", [0, 1], ids=["the operator's own", "that of its watch"])
@pytest.mark.parametrize("kind", ["reflectiontrainings", "jobs", "pods"])
def test_a_list_is_told_that_its_page_has_expired(
    cluster: Cluster,
    calm: Outcome,
    tmp_path: Path,
    kind: str,
    which: int,
) -> None:
    target = rf"/{kind}\?(?!.*watch=true)"
    outcome = Case(cluster, tmp_path, TO_THE_END).carry_through(
        refused_by_api(410, "Expired"), method="GET", target=target, after=which
    )
    found = differences(cluster, calm, [outcome], starts=1)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("arguments", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_of_a_minute(
    cluster: Cluster, calm: Outcome, tmp_path: Path, figures: list[Figure], arguments: tuple[str, ...]
) -> None:
    """While it lasts the rollout ends. Nobody but the operator feels the outage, and the run goes as ever.

    It may end for want of its Lease and be started again; where it has none, it stays.
    """
    alone = arguments == ALONE

    def walk(case: Case) -> None:
        case.kubelet.script = run_on
        case.until(lambda: case.phase() == "Rollout", "rollout")
        began = time.monotonic()
        case.proxy.down = True
        case.kubelet.script = one_crash
        case.let_pass(OUTAGE_S)
        case.proxy.down = False
        case.until(lambda: any("-verify-1" in job["metadata"]["name"] for job in case.jobs()), "verify Job")
        took = time.monotonic() - began
        print(f"moved on {took:.1f} s after an outage of {OUTAGE_S} s began, with {case.starts} starts")
        what = f"moved on after an outage of {OUTAGE_S} s began" + ", without a Lease" * alone
        figures.append(metric(what, took, "s", "<=", MOVES_ON_S))
        TO_THE_END.walk(case)

    outcome = Case(cluster, tmp_path, Journey(TO_THE_END.resource, walk, arguments=arguments)).carry_through()
    assert figures[-1]["meets"], figures[-1]
    found = differences(cluster, calm, [outcome], starts=1 if alone else None)
    assert not found, "\n".join(found)


def test_watches_that_fall_silent(
    cluster: Cluster, calm: Outcome, tmp_path: Path, figures: list[Figure]
) -> None:
    """No end of a connection tells of it."""

    def walk(case: Case) -> None:
        case.kubelet.script = run_on
        case.until(lambda: case.phase() == "Rollout", "rollout")
        case.proxy.silence()
        case.kubelet.script = one_crash
        began = time.monotonic()
        TO_THE_END.walk(case)
        took = time.monotonic() - began
        print(f"over {took:.1f} s after all watches fell silent")
        figures.append(metric("run over after all watches fell silent", took, "s", "<=", SILENCE_IS_OVER_S))

    outcome = Case(cluster, tmp_path, Journey(TO_THE_END.resource, walk)).carry_through()
    assert figures[-1]["meets"], figures[-1]
    found = differences(cluster, calm, [outcome], starts=1)
    assert not found, "\n".join(found)


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[ForkedOperator]:
    process = ForkedOperator(cluster, namespace, tmp_path / "operator.log")
    yield process
    process.end()
    print(process.log())


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
