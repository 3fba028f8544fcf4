"""A run whose operator meets one fault on its way to the API server, and what is left of it when it is over."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from reflection_operator.children.labels import UID_LABEL

from .cluster import BATCH, CORE, RUNS, Cluster, Obj, until
from .crash_oracle import GONE, Account, Outcome
from .fault_proxy import FaultProxy
from .faults import Act, Exchange, Reset
from .forked_operator import ForkedOperator
from .history import History
from .kubelet import Kubelet, one_crash

WRITES = "POST|PUT|PATCH|DELETE"
UNCHANGING = ("/leases", "/tokenreviews")
"""In the targets of requests that are no writes here: a Lease is written all the time, a review of a token writes nothing."""
THAT_CHANGES = rf"^(?!.*({'|'.join(UNCHANGING)}))"
AS_POD = ("--identity", "pod-1")
"""A container that is started again is in the same pod, after whose name the chart calls the replica: it has its own Lease back
at once, so that the Lease may have its usual times here."""
QUIET_S = 3.0
_SETTLED_S = 3.0
"""Without a write: longer than the soak has an API server ask for patience."""
_PATIENCE_S = 300
"""A guard: many cases share the machine."""


@dataclass(frozen=True)
class Journey:
    """A run, and what happens to it once its operator is there."""

    resource: Obj
    walk: Callable[[Case], None]
    progress: bool = False
    """Whether its pods report to the operator."""
    arguments: tuple[str, ...] = AS_POD
    """Of the operator."""


class Case:
    """One run in a namespace of its own, with an operator for it alone."""

    def __init__(self, cluster: Cluster, folder: Path, journey: Journey) -> None:
        self.cluster, self.folder = cluster, folder
        self._journey = journey
        self.namespace = f"case-{secrets.token_hex(4)}"
        cluster.create(f"{CORE}/namespaces", {"metadata": {"name": self.namespace}})
        self.proxy = FaultProxy(cluster.plane.port, cluster.plane.trusting())
        log = folder / f"{self.namespace}.log"
        self.operator = ForkedOperator(
            cluster, self.namespace, log, server=self.proxy.endpoint, progress=journey.progress
        )
        self.kubelet = Kubelet(cluster, self.namespace, one_crash)
        self.starts = self._told_before = 0
        self._path = f"{RUNS}/namespaces/{self.namespace}/reflectiontrainings"
        self._history: History | None = None
        self._left: Account | None = None

    def kill(self, exchange: Exchange) -> None:
        """A fault: the request is carried out, and its sender is no more there to hear of it."""
        exchange.forward()
        os.kill(self.operator.pid, signal.SIGKILL)
        raise Reset

    def carry_through(
        self, act: Act | None = None, *, write: int = 0, quiet: float = QUIET_S, **match: object
    ) -> Outcome:
        """Have the fault strike the given write, counted from 0, or whatever matches, and see the run to its end."""
        match = match or {"method": WRITES, "target": THAT_CHANGES, "after": write}
        fault = self.proxy.inject(act, **match) if act else None
        with self.proxy:
            try:
                created = self.cluster.create(self._path, self._journey.resource)
                self._history = History(
                    self.cluster.plane, self._path, created["metadata"]["resourceVersion"]
                )
                self._start()
                self._journey.walk(self)
                # Whoever was started last must have looked at the run, and events are posted after the status.
                until(self._all_have_listed, "list of the newest operator", meanwhile=self._tick)
                self._settle()
                before = len(self.proxy.requests)
                self.let_pass(quiet)
                late = [request for request in self.proxy.requests[before:] if _is_write(request)]
                account, statuses = self._left or self._what_is_left(), self._statuses()
                return Outcome(
                    self.namespace, account, course(statuses, "Succeeded"), ends(statuses), self._events(),
                    self._writes(), late, self.starts, fault.times == 0 if fault else None, self._told_before,
                )  # fmt: skip
            finally:
                self.operator.end()
                if self._history:
                    self._history.end()

    @property
    def path(self) -> str:
        """Of the run."""
        return f"{self._path}/{self._journey.resource['metadata']['name']}"

    def begins_to_matter(self) -> None:
        """The writes before this moment are of no interest."""
        self._told_before = len(self._writes())

    def ends_here(self) -> None:
        """What is left of the run is what there is now, whatever becomes of it."""
        self._left = self._what_is_left()

    def until(self, look: Callable[[], object], what: str) -> None:
        """Wait, while pods are played and the operator is started again when it has died."""
        until(look, what, meanwhile=self._tick, patience=_PATIENCE_S)

    def let_pass(self, seconds: float) -> None:
        """Let time pass in the same way."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._tick()
            time.sleep(0.1)

    def phase(self) -> str:
        return str(self.get().get("status", {}).get("phase"))

    def pods_at_work(self) -> int:
        return sum(pod["status"]["phase"] in ("Pending", "Running") for pod in self.kubelet.pods())

    def jobs(self) -> list[Obj]:
        return self.cluster.items(f"{BATCH}/namespaces/{self.namespace}/jobs")

    def is_gone(self) -> bool:
        """Whether neither the run nor any Job, pod, Service or ConfigMap of it is left."""
        if self.cluster.find(self.path) or self.jobs():
            return False
        core = f"{CORE}/namespaces/{self.namespace}"
        # Every namespace has a ConfigMap of its own, without our label.
        left = self.cluster.items(f"{core}/configmaps", labelSelector=UID_LABEL)
        return not (left or any(self.cluster.items(f"{core}/{kind}") for kind in ("pods", "services")))

    def get(self) -> Obj:
        return self.cluster.get(self.path)

    def has_ended(self) -> bool:
        conditions = self.get().get("status", {}).get("conditions", [])
        return any(each["type"] == "Succeeded" and each["status"] != "Unknown" for each in conditions)

    def _writes(self) -> list[str]:
        return [request for request in self.proxy.requests if _is_write(request)]

    def _start(self) -> None:
        self.operator.start(*self._journey.arguments)
        self.starts += 1

    def _tick(self) -> None:
        """What a kubelet does: play the pods, and start the operator again when it has died."""
        self.kubelet.tick()
        if self.operator.exit_code() is not None:
            self._start()

    def _settle(self) -> None:
        """Wait until nothing was written for a while: what is refused with a time to wait comes again after it."""
        known, since = -1, 0.0

        def settled() -> bool:
            nonlocal known, since
            if (told := len(self._writes())) != known:
                known, since = told, time.monotonic()
            return time.monotonic() - since >= _SETTLED_S

        self.until(settled, "end of all writes")

    def _all_have_listed(self) -> bool:
        return self.operator.log().count(" runs\n") >= self.starts

    def _what_is_left(self) -> Account:
        last = self.cluster.find(self.path)
        return self._account(last) if last else GONE

    def _account(self, run: Obj) -> Account:
        status = run["status"]
        figures = {
            name: _lasting(status.get(name, {})) for name in ("metrics", "progress", "dataset", "evaluation")
        }
        return Account(
            tuple(sorted("-".join(job["metadata"]["name"].rsplit("-", 3)[-3:]) for job in self.jobs())),
            frozenset((each["type"], each["status"], each["reason"]) for each in status["conditions"]),
            status["phase"],
            status["restarts"],
            tuple((each["stage"], each["reason"], each["counted"]) for each in status["attempts"]),
            json.dumps(figures, sort_keys=True),
        )

    def _statuses(self) -> list[Obj]:
        """All that its status has been, until it was to be deleted: then Ready tells of that."""
        assert self._history is not None, "a case that has begun has one"
        objects = [change["object"] for change in self._history.up_to(self.cluster.find(self.path))]
        return [each.get("status", {}) for each in objects if "deletionTimestamp" not in each["metadata"]]

    def _events(self) -> Counter[str]:
        events = self.cluster.items(
            f"{CORE}/namespaces/{self.namespace}/events",
            fieldSelector="involvedObject.kind=ReflectionTraining",
        )
        return Counter(event["reason"] for event in events)


def every_write(
    cluster: Cluster,
    folder: Path,
    journey: Journey,
    calm: Outcome,
    act: Callable[[Case], Act],
    parallel: int,
) -> list[Outcome]:
    """One case for each write of a calm run that matters, some at a time; the act is made for each case."""

    def strike(write: int) -> Outcome:
        case = Case(cluster, folder, journey)
        return case.carry_through(act(case), write=write)

    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(strike, range(calm.told_before, len(calm.writes))))


def course(statuses: Sequence[Obj], kind: str) -> list[str]:
    """The values that a condition has had, one after another."""
    return changes(_condition(status, kind).get("status") for status in statuses)


def ends(statuses: Sequence[Obj]) -> list[str]:
    """What the end of a run was said to be, from the first word on: of one that does not change there is one."""
    found: list[str | None] = []
    for status in statuses:
        if found or _condition(status, "Succeeded").get("status") in ("True", "False"):
            told = [_condition(status, kind) for kind in ("Succeeded", "Ready", "Stalled")]
            found.append(json.dumps([told, status.get("completionTime")], sort_keys=True))
    return changes(found)


def changes(values: Iterable[str | None]) -> list[str]:
    """Values, each once as long as it stays."""
    return [value for value, _ in groupby(value for value in values if value is not None)]


def _condition(status: Obj, kind: str) -> Obj:
    """A condition without the generation that it was seen of; empty where there is none."""
    found = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return {name: value for name, value in found.items() if name != "observedGeneration"}


def _lasting(values: Obj) -> Obj:
    """Without places and times, in which equal runs differ."""
    return {name: value for name, value in values.items() if name not in ("uri", "lastUpdatedTime")}


def _is_write(request: str) -> bool:
    return request.split(" ")[0] in WRITES.split("|") and not any(map(request.count, UNCHANGING))
