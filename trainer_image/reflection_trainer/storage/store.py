"""What a storage backend must do. Paths are relative to the store's root and use `/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

PARTIAL = ".partial-"
"""Prefix of the names of objects that are no artefacts: being written, or written to see whether that works."""


class Store(Protocol):
    """Objects under one root. Every write is atomic: a reader sees the old object, the new one, or none.

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

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a small object."""
        ...

    def upload(self, local: Path, path: str) -> None:
        """Create or replace an object from a local file."""
        ...

    def download(self, path: str, local: Path) -> bool:
        """Copy an object to a local file; False where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects below a folder, in order; without those that begin with `PARTIAL`."""
        ...

    def delete(self, path: str) -> None:
        """Delete an object; nothing happens where there is none."""
        ...

    def uri(self, path: str) -> str:
        """The object's full URI."""
        ...
