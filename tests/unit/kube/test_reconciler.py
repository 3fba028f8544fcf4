"""Carrying a decision out against an API server that refuses, forgets to answer, or has moved on."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from reflection_operator.kube.children import ChildRefused, NamespaceEnding
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.events import Events
from reflection_operator.kube.kinds import CONFIG_MAPS, EVENTS, JOBS, RUN_STATUS, RUNS, Kind
from reflection_operator.kube.measures import Measures
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.reconciler import Reconciler, Stale
from reflection_operator.kube.store import Store
from reflection_operator.reconcile.deletion import FINALIZER
from reflection_operator.settings import OperatorSettings

from .objects import UID, run

JOB = "countdown-1a2b3c4d-r1-rollout-1"


def refusal(status: int, reason: str, message: str = "no") -> ApiError:
    return ApiError("x", status, f'{{"reason": "{reason}", "message": "{message}"}}'.encode(), {})


class Server:
    """Objects by path. `before` and `after` may raise for a request: not carried out, or carried out and not answered."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.complaints: list[dict[str, Any]] = []
        self.before: Callable[[str, Kind], None] = lambda *_: None
        self.after: Callable[[str, Kind], None] = lambda *_: None
        self._version = 100

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        self._note("get", kind)
        return copy.deepcopy(self._found(kind, namespace, name))

    async def pages(
        self, kind: Kind, namespace: str, *, fields: str
    ) -> AsyncIterator[tuple[list[dict[str, Any]], int]]:
        """The only list is of what the Job controller could not do."""
        self._note("list", kind)
        assert "FailedCreate" in fields
        yield self.complaints, 1

    async def create(self, kind: Kind, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note("create", kind)
        path = kind.path(namespace, body["metadata"]["name"])
        if path in self.objects:
            raise refusal(409, "AlreadyExists")
        given = {"uid": f"uid-{self._version}", "creationTimestamp": "2026-08-01T12:00:00Z"}
        obj = self._stored(path, body | {"metadata": body["metadata"] | given})
        self.after("create", kind)
        return copy.deepcopy(obj)

    async def update(self, kind: Kind, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note("update", kind)
        assert kind is RUN_STATUS
        obj = self._found(RUNS, namespace, name)
        if body["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise refusal(409, "Conflict")
        stored = self._stored(RUNS.path(namespace, name), obj | {"status": body["status"]})
        self.after("update", kind)
        return copy.deepcopy(stored)

    async def patch(self, kind: Kind, namespace: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
        self._note("patch", kind)
        assert kind is RUNS
        assert change["metadata"].keys() == {"finalizers", "resourceVersion"}
        obj = self._found(kind, namespace, name)
        if change["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise refusal(409, "Conflict")
        stored = self._stored(
            kind.path(namespace, name), obj | {"metadata": obj["metadata"] | change["metadata"]}
        )
        self.after("patch", kind)
        return copy.deepcopy(stored)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, version: str | None = None
    ) -> None:
        self._note("delete", kind)
        del self.objects[kind.path(namespace, name)]
        self.after("delete", kind)

    def touch(self) -> None:
        """Somebody else changes the resource."""
        path = RUNS.path("ml", "countdown")
        self._stored(path, self.objects[path])

    def _stored(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        metadata = obj["metadata"] | {"resourceVersion": str(self._version)}
        self.objects[path] = copy.deepcopy(obj | {"metadata": metadata})
        return self.objects[path]

    def _found(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        path = kind.path(namespace, name)
        if path not in self.objects:
            raise refusal(404, "NotFound")
        return self.objects[path]

    def _note(self, verb: str, kind: Kind) -> None:
        self.before(verb, kind)
        self.log.append(f"{verb} {kind.resource}")


class Bench:
    """A reconciler with a run that nobody has looked at yet."""

    def __init__(self, stored: dict[str, Any] | None = None) -> None:
        self.server = Server()
        self.changed: list[str] = []
        self.store = Store(self.changed.append)
        stored = stored or run(5)
        self.server.objects[RUNS.path("ml", "countdown")] = stored
        self.store.put(RUNS, stored)
        api: Any = self.server
        self.reconciler = Reconciler(
            api, self.store, Events(api, "test"), Measures(Metrics()), OperatorSettings(), lambda: None
        )

    def look(self) -> float | None:
        return asyncio.run(self.reconciler.reconcile(UID))

    def count(self, request: str) -> int:
        return self.server.log.count(request)

    def reasons(self) -> list[str]:
        found = [obj for path, obj in self.server.objects.items() if "/events/" in path]
        return [event["reason"] for event in found]

    def ready(self) -> dict[str, Any]:
        conditions = self.server.objects[RUNS.path("ml", "countdown")]["status"]["conditions"]
        return next(each for each in conditions if each["type"] == "Ready")


def once(error: Exception, verb: str, kind: Kind) -> Callable[[str, Kind], None]:
    """Raises for the first such request."""
    left = [error]

    def trouble(asked: str, of: Kind) -> None:
        if (asked, of) == (verb, kind) and left:
            raise left.pop()

    return trouble


def always(error: Exception, verb: str, kind: Kind) -> Callable[[str, Kind], None]:
    def trouble(asked: str, of: Kind) -> None:
        if (asked, of) == (verb, kind):
            raise error

    return trouble


def test_the_first_look_writes_the_status_before_it_creates_anything() -> None:
    bench = Bench()
    bench.look()
    assert bench.server.log == [
        "update reflectiontrainings/status", "create configmaps", "create jobs", "create events", "create events",
    ]  # fmt: skip
    assert bench.reasons() == ["Accepted", "RolloutJobCreated"]


def test_a_second_look_at_the_same_writes_nothing() -> None:
    bench = Bench()
    bench.look()
    bench.look()  # tells that the Job is there
    before = len(bench.server.log)
    bench.look()
    assert len(bench.server.log) == before


def test_own_writes_are_known_at_once() -> None:
    bench = Bench()
    bench.look()
    view = bench.store.view(UID)
    assert view is not None
    assert view.run.version == int(
        bench.server.objects[RUNS.path("ml", "countdown")]["metadata"]["resourceVersion"]
    )
    assert list(view.jobs) == [JOB]


def test_a_change_by_somebody_else_drops_the_decision() -> None:
    bench = Bench()
    bench.server.touch()
    with pytest.raises(Stale):
        bench.look()
    assert bench.count("create jobs") == 0
    bench.look()
    assert bench.count("create jobs") == 1


def test_nothing_is_created_from_an_old_resource_although_its_status_stays() -> None:
    bench = Bench()
    bench.server.before = always(ConnectionResetError(), "create", CONFIG_MAPS)
    with pytest.raises(ConnectionResetError):
        bench.look()
    bench.server.before = lambda *_: None
    bench.server.touch()
    with pytest.raises(Stale):
        bench.look()
    assert bench.count("create jobs") == 0


@pytest.mark.parametrize(
    ("verb", "kind"), [("update", RUN_STATUS), ("create", CONFIG_MAPS), ("create", JOBS), ("create", EVENTS)]
)
def test_a_lost_answer_changes_nothing_in_the_end(verb: str, kind: Kind) -> None:
    bench = Bench()
    bench.server.after = once(ConnectionResetError("reset"), verb, kind)
    for _ in range(4):
        try:
            bench.look()
        except ConnectionResetError:
            continue
    assert sorted(path.rsplit("/", 2)[-2] for path in bench.server.objects) == [
        "configmaps", "events", "events", "jobs", "reflectiontrainings",
    ]  # fmt: skip


def test_a_resource_that_is_gone_is_forgotten() -> None:
    bench = Bench()
    bench.server.objects.clear()
    with pytest.raises(Stale):
        bench.look()
    assert bench.look() is None
    assert bench.store.keys() == []


def test_a_refused_child_is_said_in_the_status_and_its_start_is_told_when_it_is_there() -> None:
    bench = Bench()
    bench.server.before = always(refusal(422, "Invalid", "spec.env: Invalid value"), "create", JOBS)
    for _ in range(3):
        with pytest.raises(ChildRefused):
            bench.look()
    assert (bench.ready()["status"], bench.ready()["reason"]) == ("False", "ChildRefused")
    assert bench.reasons() == ["Accepted", "ChildRefused"]
    bench.server.before = lambda *_: None
    bench.look()
    bench.look()
    assert bench.ready()["status"] == "True"
    assert bench.reasons() == ["Accepted", "ChildRefused", "RolloutJobCreated"]


def test_where_everything_is_being_deleted_nothing_is_wrong() -> None:
    bench = Bench()
    body = b'{"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}'
    bench.server.before = always(ApiError("x", 403, body, {}), "create", CONFIG_MAPS)
    with pytest.raises(NamespaceEnding):
        bench.look()


def with_artefacts(**metadata: Any) -> dict[str, Any]:
    """A run whose artefacts are to go with it."""
    stored = run(5)
    stored["spec"]["deletionPolicy"] = "Delete"
    stored["metadata"] |= metadata
    return stored


HELD = {"finalizers": ["example.com/other", FINALIZER], "deletionTimestamp": "2026-08-01T12:00:00Z"}


def test_the_finalizer_is_there_before_anything_is_created() -> None:
    bench = Bench(with_artefacts())
    bench.server.after = once(ConnectionResetError("reset"), "patch", RUNS)
    with pytest.raises(ConnectionResetError):
        bench.look()
    with pytest.raises(Stale):
        bench.look()
    bench.look()
    assert bench.server.log[:4] == [
        "patch reflectiontrainings", "patch reflectiontrainings", "get reflectiontrainings",
        "update reflectiontrainings/status",
    ]  # fmt: skip
    stored = bench.server.objects[RUNS.path("ml", "countdown")]
    assert stored["metadata"]["finalizers"] == [FINALIZER]


def test_a_held_resource_gets_its_clean_up_and_a_second_operator_takes_it_for_its_own() -> None:
    bench = Bench(with_artefacts(**HELD))
    bench.server.after = once(ConnectionResetError("reset"), "create", JOBS)
    bench.look()
    again = Bench(bench.server.objects[RUNS.path("ml", "countdown")])
    again.server.objects |= bench.server.objects
    again.look()
    assert [path.rsplit("/", 1)[-1] for path in again.server.objects if "/jobs/" in path] == [
        "countdown-1a2b3c4d-r1-cleanup-1"
    ]


def test_a_clean_ups_name_that_is_taken_is_told() -> None:
    bench = Bench(with_artefacts(**HELD))
    name = "countdown-1a2b3c4d-r1-cleanup-1"
    bench.server.objects[JOBS.path("ml", name)] = {"metadata": {"name": name, "uid": "foreign"}}
    with pytest.raises(ChildRefused, match=f'Job "{name}" exists and does not belong to this run'):
        bench.look()


def test_a_namespace_that_is_being_deleted_does_not_wait_for_artefacts() -> None:
    bench = Bench(with_artefacts(**HELD))
    body = b'{"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}'
    bench.server.before = always(ApiError("x", 403, body, {}), "create", JOBS)
    for _ in range(3):
        with contextlib.suppress(NamespaceEnding, Stale):
            bench.look()
    stored = bench.server.objects[RUNS.path("ml", "countdown")]
    assert stored["metadata"]["finalizers"] == ["example.com/other"]


def test_a_foreign_object_is_named() -> None:
    bench = Bench()
    bench.server.objects[CONFIG_MAPS.path("ml", JOB)] = {"metadata": {"name": JOB, "uid": "foreign"}}
    with pytest.raises(ChildRefused, match=f'ConfigMap "{JOB}" exists and does not belong to this run'):
        bench.look()


def test_an_event_that_cannot_be_posted_stops_nothing() -> None:
    bench = Bench()
    bench.server.before = always(refusal(403, "Forbidden"), "create", EVENTS)
    bench.look()
    assert bench.reasons() == []
    assert bench.count("create jobs") == 1


def test_a_resource_of_another_controller_is_left_alone_also_where_it_is_not_understood() -> None:
    bench = Bench()
    foreign = run(6)
    foreign["spec"] |= {"rounds": "many", "managedBy": "kueue.x-k8s.io/multikueue"}
    bench.server.objects[RUNS.path("ml", "countdown")] = foreign
    bench.store.put(RUNS, foreign)
    assert bench.look() is None
    assert bench.server.log == []


def test_a_resource_that_is_not_understood_is_told_so() -> None:
    bench = Bench()
    broken = run(6)
    broken["spec"]["rounds"] = "many"
    bench.server.objects[RUNS.path("ml", "countdown")] = broken
    bench.store.put(RUNS, broken)
    bench.look()
    bench.look()
    assert (bench.ready()["status"], bench.ready()["reason"]) == ("False", "InvalidSpec")
    assert 'spec.rounds: "many" is text' in bench.ready()["message"]
    assert bench.server.log == ["update reflectiontrainings/status"]
