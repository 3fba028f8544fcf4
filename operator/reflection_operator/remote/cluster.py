"""Requests of a user: a run, its events and pods, and the one field that is changed from here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any

from reflection_api.resource import GROUP, KIND, PLURAL, VERSION

from ..children.labels import STAGE_CONTAINER, UID_LABEL
from ..kube.api import TRANSPORT_ERRORS, Api, read_deep_answers
from ..kube.errors import ApiError
from ..kube.kinds import Kind
from ..kube.metrics import Metrics
from .errors import RemoteError, RunGone
from .place import Place, Target, find

Obj = dict[str, Any]

_RUNS = Kind(GROUP, VERSION, PLURAL, ("get", "list", "patch"))
_PODS = Kind("", "v1", "pods", ("list",))
_LOGS = Kind("", "v1", "pods", ("get",), "log")
_EVENTS = Kind("", "v1", "events", ("list",))
_MAX_NAMES = 5


class Cluster:
    """A namespace of a cluster, as somebody. All methods raise RemoteError where it does not do as asked."""

    def __init__(self, api: Api, place: Place) -> None:
        self._api = api
        self._place = place

    @property
    def namespace(self) -> str:
        return self._place.namespace

    async def run(self, name: str) -> Obj:
        """A run, as the API server gives it.

        Raises:
            RunGone: there is none.
        """
        with_words = f"get the ReflectionTraining {name}"
        try:
            return await self._api.get(_RUNS, self.namespace, name)
        except ApiError as error:
            if error.not_found:
                raise await self._not_found(name) from error
            raise self._in_words(with_words, error) from error
        except TRANSPORT_ERRORS as error:
            raise self._away(error) from error

    async def suspend(self, name: str, *, wanted: bool) -> Obj:
        """Set `spec.suspend`."""
        try:
            return await self._api.patch(_RUNS, self.namespace, name, {"spec": {"suspend": wanted}})
        except ApiError as error:
            raise self._in_words(f"change the ReflectionTraining {name}", error) from error
        except TRANSPORT_ERRORS as error:
            raise self._away(error) from error

    async def events(self, uid: str) -> list[Obj]:
        """The events about a run, oldest first."""
        found = await self._all(_EVENTS, "list events", fields=f"involvedObject.uid={uid}")
        return sorted(found, key=lambda event: (time_of(event), int(event["metadata"]["resourceVersion"])))

    async def pods(self, uid: str) -> list[Obj]:
        """The pods of a run that there are."""
        return await self._all(_PODS, "list pods", selector=f"{UID_LABEL}={uid}")

    async def log(self, pod: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
        """The log of a pod's stage, piece by piece.

        Raises:
            ApiError: 400 where its container has not started yet.
        """
        query = {"container": STAGE_CONTAINER} | ({"follow": "true"} if follow else {})
        query |= {"tailLines": str(tail)} if tail is not None else {}
        try:
            async for piece in self._api.text(_LOGS, self.namespace, pod, query):
                yield piece
        except ApiError as error:
            if error.status == 400:
                raise
            raise self._in_words(f"read the log of pod {pod}", error) from error
        except TRANSPORT_ERRORS as error:
            raise self._away(error) from error

    async def _all(self, kind: Kind, doing: str, *, selector: str = "", fields: str = "") -> list[Obj]:
        found: list[Obj] = []
        try:
            async for page, _ in self._api.pages(kind, self.namespace, selector, fields=fields):
                found += page
        except ApiError as error:
            raise self._in_words(doing, error) from error
        except TRANSPORT_ERRORS as error:
            raise self._away(error) from error
        return found

    async def _not_found(self, name: str) -> RemoteError:
        """Whether the run is not there, or the whole kind is not."""
        try:
            runs = [run async for page, _ in self._api.pages(_RUNS, self.namespace) for run in page]
        except ApiError as error:
            if error.not_found:
                return RemoteError(
                    f"the cluster at {self._place.server} does not know ReflectionTrainings; an administrator installs them: "
                    "reflect crd | kubectl apply --server-side -f -"
                )
            # Who may get one run need not be allowed to list them.
            runs = []
        except TRANSPORT_ERRORS as error:
            return self._away(error)
        names = sorted(str(run["metadata"]["name"]) for run in runs)
        return RunGone(f"there is no {KIND} {name} in namespace {self.namespace}{_hint(name, names)}")

    def _in_words(self, doing: str, error: ApiError) -> RemoteError:
        where = f"in namespace {self.namespace} at {self._place.server}"
        if error.status == 401:
            return RemoteError(
                f"the API server at {self._place.server} does not take your credentials (401); log in again, or choose "
                "another --context"
            )
        if error.status == 403:
            return RemoteError(f"you may not {doing} {where} (403): {error.message}")
        return RemoteError(
            f"cannot {doing} {where}: {error.status} {error.message or error.reason}",
            away=error.status >= 500,
        )

    def _away(self, error: BaseException) -> RemoteError:
        return RemoteError(
            f"no answer from {self._place.server}: {str(error) or type(error).__name__}; is the cluster up, and is it the "
            "right --context?",
            away=True,
        )


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Cluster]:
    """The cluster that a command is about."""
    read_deep_answers()
    place = await find(target)
    try:
        api = Api(place.configuration, Metrics())
    except (OSError, ValueError) as error:
        raise RemoteError(f"the keys for {place.server} cannot be read: {error}") from error
    try:
        yield Cluster(api, place)
    finally:
        await api.close()


def time_of(event: Mapping[str, Any]) -> str:
    """When an event happened last, as Kubernetes writes times: they are in order as texts, too."""
    metadata = event.get("metadata") or {}
    return str(
        event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or ""
    )


def _hint(name: str, names: list[str]) -> str:
    if nearest := get_close_matches(name, names, n=1):
        return f"; did you mean {nearest[0]}?"
    if not names:
        return "; give another with -n"
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"; there are {', '.join(names[:_MAX_NAMES])}{more}"
