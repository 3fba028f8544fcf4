"""Creating what an attempt needs. Names are known before the objects exist, so doing it twice does it once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reflection_api.layout import attempt_of
from reflection_api.resource import Metadata

from ..children.labels import UID_LABEL, child_labels, copied_labels
from .api import TRANSPORT_ERRORS, Api, Obj
from .errors import ApiError
from .kinds import CHILDREN, CONFIG_MAPS, JOBS, Kind
from .store import Store

_log = logging.getLogger(__name__)


class ChildRefused(Exception):
    """The API server does not take a child, and would not take it the next moment either. The message says why."""

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        """`invalid`: the child itself is wrong, so that only another spec can help."""
        super().__init__(message)
        self.invalid = invalid


class NamespaceEnding(Exception):
    """Nothing can be created in a namespace that is being deleted."""


@contextmanager
def _refusals_told_apart() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if error.namespace_ending:
            raise NamespaceEnding(error.message) from error
        if error.final:
            raise ChildRefused(error.message, invalid=error.invalid) from error
        raise


class Children:
    """Creates the children of runs."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def create(self, run: Metadata, objects: Iterable[Obj]) -> None:
        """Create the objects in their order, those that exist already excepted.

        Raises:
            ChildRefused: one cannot be created until somebody changes something.
            NamespaceEnding: none can be created any more.
        """
        for obj in objects:
            kind = CHILDREN[obj["kind"]]
            created = await self._create(kind, run, obj)
            if kind is JOBS:
                self._store.put(JOBS, created)

    async def restore(self, run: Metadata, objects: Iterable[Obj]) -> None:
        """Create what somebody has deleted of the objects that pods need to start; Jobs are not among them."""
        for obj in objects:
            kind = CHILDREN[obj["kind"]]
            if kind is JOBS:
                continue
            if await self._find(kind, run.namespace, obj["metadata"]["name"]) is None:
                _log.warning("%s %s was deleted and is created again", obj["kind"], obj["metadata"]["name"])
                await self._create(kind, run, obj)

    async def reclaim(self, run: Metadata, name: str) -> None:
        """Give a Job its labels back, where it exists and is ours: pods of it are there, and it is not seen itself.

        Without its labels no watch shows it, and the run would wait for its pods as for those of a deleted Job.
        """
        attempt = attempt_of(name, run.name, run.uid)
        if attempt is None:
            return
        found = await self._find(JOBS, run.namespace, name)
        if found and _is_owned(found["metadata"], run.uid):
            own = child_labels(run, *attempt) | copied_labels(run.labels, attempt[1])
            self._store.put(JOBS, await self._labelled(found, own))

    async def _create(self, kind: Kind, run: Metadata, obj: Obj) -> Obj:
        with _refusals_told_apart():
            try:
                return await self._create_surely(kind, run.namespace, obj)
            except ApiError as error:
                if error.not_found:
                    raise NamespaceEnding(error.message) from error
                if not error.already_exists:
                    raise
            return await self._adopt(kind, run, obj)

    async def _create_surely(self, kind: Kind, namespace: str, obj: Obj) -> Obj:
        """Ask again where no answer came: it may exist by now, and its creation is still to be told."""
        try:
            return await self._api.create(kind, namespace, obj)
        except TRANSPORT_ERRORS:
            return await self._api.create(kind, namespace, obj)

    async def _adopt(self, kind: Kind, run: Metadata, wanted: Obj) -> Obj:
        """An object of that name exists: ours from an earlier try, or somebody else's."""
        name = wanted["metadata"]["name"]
        found = await self._api.get(kind, run.namespace, name)
        metadata = found["metadata"]
        # What has no owner, so that it outlives the run, is known by its label.
        owned = "ownerReferences" in wanted["metadata"]
        ours = _is_owned(metadata, run.uid) if owned else metadata.get("labels", {}).get(UID_LABEL) == run.uid
        if not ours:
            raise ChildRefused(
                f'{wanted["kind"]} "{name}" exists and does not belong to this run; delete or rename it'
            )
        if kind is JOBS:
            return await self._labelled(found, wanted["metadata"]["labels"])
        if kind is CONFIG_MAPS and found.get("data") != wanted["data"]:
            at_work = await self._find(JOBS, run.namespace, name)
            return found if at_work else await self._made_anew(found, wanted)
        return found

    async def _find(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """An object; None where there is none."""
        try:
            return await self._api.get(kind, namespace, name)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def _made_anew(self, found: Obj, wanted: Obj) -> Obj:
        """The ConfigMap of a Job that is no more, or never was, in the words of the spec as it is now: both must agree."""
        metadata = found["metadata"]
        place = CONFIG_MAPS, metadata["namespace"], metadata["name"]
        await self._api.delete(*place, uid=metadata["uid"], version=metadata["resourceVersion"])
        return await self._create_surely(CONFIG_MAPS, metadata["namespace"], wanted)

    async def _labelled(self, job: Obj, labels: Mapping[str, str]) -> Obj:
        metadata = job["metadata"]
        if labels.items() <= metadata.get("labels", {}).items():
            return job
        change = {"metadata": {"labels": dict(labels), "resourceVersion": metadata["resourceVersion"]}}
        return await self._api.patch(JOBS, metadata["namespace"], metadata["name"], change)


def _is_owned(metadata: dict[str, Any], uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in metadata.get("ownerReferences", ()))
