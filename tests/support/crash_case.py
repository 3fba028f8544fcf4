"""A run whose operator meets one fault on its way to the API server, and what is left of it when it is over."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .audit import done, of_operators
from .cluster import BATCH, CORE, RUNS, Cluster, Obj, until
from .fault_proxy import FaultProxy
from .faults import Act, Exchange, Reset
from .forked_operator import ForkedOperator
from .kubelet import Kubelet, one_crash, train_on

WRITES = "POST|PUT|PATCH|DELETE"
NOT_THE_LEASE = r"^(?!.*/leases)"
AS_POD = ("--identity", "pod-1")
"""A container that is started again is in the same pod, after whose name the chart calls the replica: it has its own Lease back
at once, so that the Lease may have its usual times here."""
NODES = 2
SPEC: dict[str, Any] = {"training": {"nodes": NODES}, "deletionPolicy": "Delete"}
"""A run that needs every kind of child, and the finalizer."""
NOTHING: Counter[str] = Counter()
QUIET_S = 3.0
_SETTLED_S = 1.0
_PATIENCE_S = 300
"""A guard: many cases share the machine."""


@dataclass(frozen=True)
class Account:
    """What is left of a run. Two runs that went the same way have equal ones."""

    jobs: tuple[str, ...]
    conditions: frozenset[tuple[str, str, str]]
    phase: str
    restarts: int
    attempts: tuple[tuple[str, str, bool], ...]
    figures: str
    """Headline figures, dataset and evaluation, as JSON."""


@dataclass
class Outcome:
    """How a case ended."""

    namespace: str
    account: Account
    endings: list[str]
    """Values that the condition Succeeded has had."""
    events: Counter[str]
    writes: list[str]
    """Method and target of each request that writes, as they came in; those about the Lease excepted."""
    after_the_end: list[str]
    """Those that came when all was over."""
    starts: int
    struck: bool
    told_before: int = 0
    """Writes before the journey's part that is of interest began."""


GONE = Account((), frozenset(), "gone", 0, (), "")
"""What is left of a run that was deleted."""


class Case:
    """One run in a namespace of its own, with an operator for it alone."""

    def __init__(self, cluster: Cluster, folder: Path, resource: Obj) -> None:
        self._cluster = cluster
        self._resource = resource
        self.namespace = f"case-{secrets.token_hex(4)}"
        cluster.create(f"{CORE}/namespaces", {"metadata": {"name": self.namespace}})
        self.proxy = FaultProxy(cluster.plane.port, cluster.plane.trusting())
        log = folder / f"{self.namespace}.log"
        self.operator = ForkedOperator(cluster, self.namespace, log, server=self.proxy.endpoint)
        self.kubelet = Kubelet(cluster, self.namespace, one_crash)
        self._starts = self._told_before = 0
        self._path = f"{RUNS}/namespaces/{self.namespace}/reflectiontrainings"

    def kill(self, exchange: Exchange) -> None:
        """A fault: the request is carried out, and its sender is no more there to hear of it."""
        exchange.forward()
        os.kill(self.operator.pid, signal.SIGKILL)
        raise Reset

    def carry_through(
        self,
        act: Act | None = None,
        *,
        write: int = 0,
        quiet: float = QUIET_S,
        journey: Callable[[Case], None] | None = None,
        **match: object,
    ) -> Outcome:
        """Have the fault strike the given write, counted from 0, or whatever matches, and see the run to its end.

        `journey` is what happens to the run once its operator is there. By default nothing is done, and it ends by itself.
        """
        match = match or {"method": WRITES, "target": NOT_THE_LEASE, "after": write}
        fault = self.proxy.inject(act, **match) if act else None
        with self.proxy:
            try:
                first = self._cluster.create(self._path, self._resource)
                self._start()
                (journey or Case.to_the_end)(self)
                # Whoever was started last must have looked at the run, and events are posted after the status.
                until(self._all_have_listed, "list of the newest operator", meanwhile=self._tick)
                self._pass(_SETTLED_S)
                before = len(self.proxy.requests)
                self._pass(quiet)
                late = [request for request in self.proxy.requests[before:] if _is_write(request)]
                last = self._cluster.find(self.path)
                return Outcome(
                    self.namespace, self._account(last) if last else GONE,
                    self._endings(first, last) if last else [], self._events(), self._writes(), late, self._starts,
                    fault is not None and fault.times == 0, self._told_before,
                )  # fmt: skip
            finally:
                self.operator.end()

    def to_the_end(self) -> None:
        """Wait until the run has ended."""
        self._until(self._ended, "end of the run")

    def suspended_resumed_and_deleted(self) -> None:
        """Suspend its training, go on, and delete the run with all that it has stored."""
        self.kubelet.script = train_on
        self._until(lambda: self._phase() == "Training" and self._pods_at_work() == NODES, "training")
        self._told_before = len(self._writes())
        self._cluster.patch(self.path, {"spec": {"suspend": True}})
        self._until(lambda: self._phase() == "Suspended" and not self._pods_at_work(), "suspension")
        self._cluster.patch(self.path, {"spec": {"suspend": False}})
        self._until(lambda: self._phase() == "Training" and self._pods_at_work() == NODES, "training again")
        self._cluster.delete(self.path)
        self._until(lambda: self._cluster.find(self.path) is None, "end of the resource")
        children = [f"{BATCH}/namespaces/{self.namespace}/jobs"]
        children += [f"{CORE}/namespaces/{self.namespace}/{kind}" for kind in ("pods", "services")]
        self._until(lambda: not any(map(self._cluster.items, children)), "end of the children")

    @property
    def path(self) -> str:
        """Of the run."""
        return f"{self._path}/{self._resource['metadata']['name']}"

    def _until(self, look: Callable[[], object], what: str) -> None:
        until(look, what, meanwhile=self._tick, patience=_PATIENCE_S)

    def _phase(self) -> str:
        return str(self._get().get("status", {}).get("phase"))

    def _pods_at_work(self) -> int:
        return sum(pod["status"]["phase"] in ("Pending", "Running") for pod in self.kubelet.pods())

    def _writes(self) -> list[str]:
        return [request for request in self.proxy.requests if _is_write(request)]

    def _pass(self, seconds: float) -> None:
        """Let time pass, in which the operator is kept alive."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._tick()
            time.sleep(0.1)

    def _start(self) -> None:
        self.operator.start(*AS_POD)
        self._starts += 1

    def _tick(self) -> None:
        """What a kubelet does: play the pods, and start the operator again when it has died."""
        self.kubelet.tick()
        if self.operator.exit_code() is not None:
            self._start()

    def _all_have_listed(self) -> bool:
        return self.operator.log().count(" runs\n") >= self._starts

    def _get(self) -> Obj:
        return self._cluster.get(self.path)

    def _ended(self) -> Obj | None:
        found = self._get()
        conditions = found.get("status", {}).get("conditions", [])
        ended = any(each["type"] == "Succeeded" and each["status"] != "Unknown" for each in conditions)
        return found if ended else None

    def _account(self, run: Obj) -> Account:
        status = run["status"]
        jobs = self._cluster.items(f"{BATCH}/namespaces/{self.namespace}/jobs")
        figures = {name: _without_uri(status.get(name, {})) for name in ("metrics", "dataset", "evaluation")}
        return Account(
            tuple(sorted("-".join(job["metadata"]["name"].rsplit("-", 2)[-2:]) for job in jobs)),
            frozenset((each["type"], each["status"], each["reason"]) for each in status["conditions"]),
            status["phase"],
            status["restarts"],
            tuple((each["stage"], each["reason"], each["counted"]) for each in status["attempts"]),
            json.dumps(figures, sort_keys=True),
        )

    def _endings(self, first: Obj, last: Obj) -> list[str]:
        changes = self._cluster.watch(self._path, first["metadata"]["resourceVersion"], until=last)
        found: list[str] = []
        for change in changes:
            for each in change["object"].get("status", {}).get("conditions", []):
                if each["type"] == "Succeeded" and each["status"] != (found or [""])[-1]:
                    found.append(each["status"])
        return found

    def _events(self) -> Counter[str]:
        events = self._cluster.items(
            f"{CORE}/namespaces/{self.namespace}/events",
            fieldSelector="involvedObject.kind=ReflectionTraining",
        )
        return Counter(event["reason"] for event in events)


def successes(cluster: Cluster) -> dict[str, Counter[str]]:
    """What the operator of each namespace created and deleted with success."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for namespace, entry in of_operators(cluster):
        counted = entry["verb"] in ("create", "delete", "deletecollection")
        if counted and done(entry) and entry["objectRef"]["resource"] not in ("events", "leases"):
            found[namespace][done(entry)] += 1
    return found


def every_write(
    cluster: Cluster,
    folder: Path,
    resource: Obj,
    calm: Outcome,
    act: Callable[[Case], Act],
    parallel: int,
    journey: Callable[[Case], None] | None = None,
) -> list[Outcome]:
    """One case for each write of a calm run from `told_before` on, some at a time; the act is made for each case."""

    def strike(write: int) -> Outcome:
        case = Case(cluster, folder, resource)
        return case.carry_through(act(case), write=write, journey=journey)

    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(strike, range(calm.told_before, len(calm.writes))))


def differences(
    cluster: Cluster,
    calm: Outcome,
    outcomes: list[Outcome],
    *,
    starts: int,
    repeatable: Counter[str] = NOTHING,
) -> list[str]:
    """Where a run with a fault went another way than one without, in words; empty where none did.

    `repeatable` is what may have been created and deleted once more.
    """
    created = successes(cluster)
    found = []
    for write, each in enumerate(outcomes, start=calm.told_before):
        wrong = {
            "account": each.account != calm.account and f"{each.account} instead of {calm.account}",
            "created": created[each.namespace]
            not in (created[calm.namespace], created[calm.namespace] + repeatable)
            and f"{created[each.namespace]} instead of {created[calm.namespace]}",
            "Succeeded": each.endings != calm.endings and each.endings,
            # One that was about to be posted when the operator died is lost, and only then; none is told twice.
            "events": each.events - calm.events
            or (starts == 1 and calm.events - each.events and f"{calm.events - each.events} are missing"),
            "writes after the end": each.after_the_end,
            "starts": each.starts != (starts if each.struck else 1) and each.starts,
            # A run may need some writes fewer, where two changes of its status are seen as one.
            "fault": not each.struck and write < len(each.writes) and "it never struck",
        }
        place = calm.writes[write] if write < len(calm.writes) else "?"
        found += [
            f"{each.namespace}, write {write} ({place}): {what}: {how}" for what, how in wrong.items() if how
        ]
    return found


def _without_uri(values: Obj) -> Obj:
    return {name: value for name, value in values.items() if name != "uri"}


def _is_write(request: str) -> bool:
    return request.split(" ")[0] in WRITES.split("|") and "/leases" not in request
