"""An API server in memory that a test makes refuse, forget to answer, or move on, and a reconciler before it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.events import Events
from reflection_operator.kube.kinds import RUN_STATUS, RUNS, Kind
from reflection_operator.kube.measures import Measures
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.reconciler import Reconciler
from reflection_operator.kube.store import Store
from reflection_operator.reconcile.deletion import FINALIZER
from reflection_operator.settings import OperatorSettings

from .objects import UID, run


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


def with_artefacts(**metadata: Any) -> dict[str, Any]:
    """A run whose artefacts are to go with it."""
    stored = run(5)
    stored["spec"]["deletionPolicy"] = "Delete"
    stored["metadata"] |= metadata
    return stored


HELD = {"finalizers": ["example.com/other", FINALIZER], "deletionTimestamp": "2026-08-01T12:00:00Z"}
