"""Creating what an attempt needs. Names are known before the objects exist, so doing it twice does it once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reflection_api.resource import Metadata

from .api import Api, Obj
from .errors import ApiError
from .kinds import CHILDREN, JOBS, Kind
from .store import Store


class ChildRefused(Exception):
    """The API server does not take a child, and would not take it the next moment either. The message says why."""


class NamespaceEnding(Exception):
    """Nothing can be created in a namespace that is being deleted."""


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

    async def _create(self, kind: Kind, run: Metadata, obj: Obj) -> Obj:
        try:
            return await self._api.create(kind, run.namespace, obj)
        except ApiError as error:
            if error.already_exists:
                return await self._adopt(kind, run, obj)
            if error.namespace_ending or error.not_found:
                raise NamespaceEnding(error.message) from error
            if error.final:
                raise ChildRefused(error.message) from error
            raise

    async def _adopt(self, kind: Kind, run: Metadata, wanted: Obj) -> Obj:
        """An object of that name exists: ours from an earlier try, or somebody else's."""
        name = wanted["metadata"]["name"]
        found = await self._api.get(kind, run.namespace, name)
        metadata = found["metadata"]
        if not _is_owned(metadata, run.uid):
            raise ChildRefused(
                f'{wanted["kind"]} "{name}" exists and does not belong to this run; delete or rename it'
            )
        labels = wanted["metadata"]["labels"]
        if kind is not JOBS or labels.items() <= metadata.get("labels", {}).items():
            return found
        # Somebody took its labels away, and without them no watch would ever show it.
        return await self._api.patch(kind, run.namespace, name, {"metadata": {"labels": labels}})


def _is_owned(metadata: dict[str, Any], uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in metadata.get("ownerReferences", ()))
