"""How an artefact comes into being, so that of two writers at most one succeeds and what it leaves is whole.

Normally there is one writer. There are two when a node was cut off and its pod goes on while a new attempt works elsewhere, or
when two people run the same thing under one prefix. Object storage has no transactions, only writes on the condition that one
object is as it was. From these follows:

- Every object is written on the condition that it is as this writer saw it before it began.
- Where nothing was there, the data come first and the manifest last, created on the condition that there still is none.
- Where something was there (the remains of a dead writer, or a whole artefact that is to be replaced), the writer first puts a
  claim in the manifest's place. From then on the artefact does not exist, and whoever began earlier cannot finish: its
  manifest expects what the claim has replaced. The claim becomes the manifest at the end, on the condition that it still
  stands.
- A writer that finds data changed goes on only while it holds the claim, and looks at the data before it looks at the claim.

A writer that lost ends with reason StorageConflict. What it wrote is replaced by the winner.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

from reflection_api.manifests import Claim
from reflection_api.reasons import Reason

from ..errors import DependencyAway
from .store import ABSENT, Changed, Store, Stored

_TRIES = 3
"""Times that somebody else may change an object while the claim is held: such a writer sees the claim and stops."""


class Publication:
    """One writer's way from what was there to an artefact with its manifest."""

    def __init__(self, store: Store, manifest: str, seen: Mapping[str, str]) -> None:
        """Begin.

        Args:
            store: where.
            manifest: path of the manifest.
            seen: versions of the manifest and of all objects of the artefact, as they are now.

        Raises:
            DependencyAway: another writer has begun since (reason StorageConflict).
        """
        self._store, self._manifest, self._seen = store, manifest, seen
        self._claim: bytes | None = None
        self._expected = seen.get(manifest, ABSENT)
        if seen:
            self._claim = Claim(writer=uuid.uuid4().hex).to_json().encode()
            self._expected = self._replace_manifest(self._claim)

    def put(self, local: Path, path: str) -> Stored:
        """Write one object of the artefact.

        Raises:
            DependencyAway: another writer is at work (reason StorageConflict).
        """
        expected = self._seen.get(path, ABSENT)
        for _ in range(_TRIES):
            try:
                return self._store.upload(local, path, expected=expected)
            except Changed:
                expected = self._store.versions(path).get(path, ABSENT)
                if not self._holds_claim():
                    break
        raise self._conflict(path)

    def finish(self, manifest: bytes) -> None:
        """Write the manifest: from now on the artefact exists.

        Raises:
            DependencyAway: another writer has taken over, or was quicker (reason StorageConflict).
        """
        self._expected = self._replace_manifest(manifest)

    def _replace_manifest(self, data: bytes) -> str:
        try:
            return self._store.write(self._manifest, data, expected=self._expected)
        except Changed as error:
            raise self._conflict(self._manifest) from error

    def _holds_claim(self) -> bool:
        return self._claim is not None and self._store.read(self._manifest) == self._claim

    def _conflict(self, path: str) -> DependencyAway:
        return DependencyAway(
            f"storage: {self._store.uri(path)} was written by somebody else at the same time: this writer stops. "
            "If the same run is active in another place, end it there",
            reason=Reason.STORAGE_CONFLICT,
        )


def is_claim(data: bytes) -> bool:
    """Whether the object in a manifest's place is a claim: then there is no artefact."""
    try:
        return bool(json.loads(data).get("kind") == Claim.KIND)
    except (ValueError, AttributeError, RecursionError):
        return False
