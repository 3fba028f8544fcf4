"""What a storage backend must do. Paths are relative to the store's root and use `/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

PARTIAL = ".partial-"
"""Prefix of the names of objects that are no artefacts: being written, or written to see whether that works."""

ABSENT: Final = ""
"""The version of an object that is not there."""
ANY: Final = "*"
"""In the place of a version: whatever is there."""


class Changed(Exception):
    """An object's version is not the one that a write was to replace: somebody else wrote or deleted it."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri} was changed by another writer")
        self.uri = uri


class Stored(NamedTuple):
    """What was written."""

    version: str
    sha256: str
    """Of the very bytes that went to the storage."""
    size: int


class Store(Protocol):
    """Objects under one root. Every write is atomic: a reader sees the old object, the new one, or none.

    A write may say which version it replaces (`expected`): of two writers that saw the same, one succeeds, the other gets
    `Changed`. A write whose answer was lost on the way is tried again, and the second try knows its own object.

    All methods raise `StageFailure` with the reason StorageDenied, StorageFull or StorageUnavailable when the storage does not
    do as asked.
    """

    @property
    def root(self) -> str:
        """The root's URI without a trailing slash."""
        ...

    def read(self, path: str) -> bytes | None:
        """The object's bytes, or None where there is none. For small objects such as manifests."""
        ...

    def write(self, path: str, data: bytes, *, expected: str = ANY) -> str:
        """Create or replace a small object; returns its version.

        Raises:
            Changed: it is not the `expected` version.
        """
        ...

    def upload(self, local: Path, path: str, *, expected: str = ANY) -> Stored:
        """Create or replace an object from a local file.

        Raises:
            Changed: it is not the `expected` version.
        """
        ...

    def download(self, path: str, local: Path) -> bool:
        """Copy an object to a local file; False where there is none."""
        ...

    def versions(self, start: str) -> dict[str, str]:
        """Path and version of all objects whose path begins with these characters, in the order of their paths."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects below a folder, in order; without those that begin with `PARTIAL`."""
        ...

    def delete(self, path: str) -> None:
        """Delete an object; nothing happens where there is none."""
        ...

    def sweep(self, prefix: str) -> int:
        """Remove what writers that died left half-written below a folder; returns how many.

        Only for a folder that no living process writes to: it would take their unfinished writes, too.
        """
        ...

    def clear(self) -> int:
        """Delete everything below the root, what no listing shows included; returns how many objects that were.

        Only when no living process writes there.
        """
        ...

    def uri(self, path: str) -> str:
        """The object's full URI."""
        ...
