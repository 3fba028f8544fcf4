"""Artefacts with manifests over a store.

Order of every write: data first, manifest last. A file or folder without its manifest does not exist; bytes that do not match
it are reported and never used. Of several writers at most one succeeds: publication.py says how.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from pydantic import ValidationError
from reflection_api.contract import ArtifactRef
from reflection_api.layout import MANIFEST, file_manifest
from reflection_api.manifests import VERSION, FileEntry, Manifest, Provenance
from reflection_api.reasons import Reason

from ..errors import BadConfig, CorruptArtifact, StageFailure
from .publication import Publication, is_claim
from .store import ABSENT, PARTIAL, Changed, Store, Stored

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of our distribution and of these packages."""
    found = {package: _installed(package) for package in ("reflect-operator", *packages)}
    return {package: version for package, version in found.items() if version}


@cache
def _installed(package: str) -> str:
    """Its version, or nothing: read once, since every shard states it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


class Artifacts:
    """Reads and writes whole artefacts below one root."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def check_writable(self, folder: str, who: str) -> None:
        """Write something below a folder and delete it: a storage that refuses should do so before the work, not after.

        Args:
            folder: where the artefacts will go.
            who: tells apart the processes that check at the same time.

        Raises:
            StageFailure: the storage does not take it.
        """
        probe = f"{folder}/{PARTIAL}{who}"
        self.store.write(probe, b"can this be written?\n")
        try:
            self.store.write(probe, b"and is this refused?\n", expected=ABSENT)
        except Changed:
            pass
        except StageFailure:  # a disk that has no room for both
            with suppress(StageFailure):
                self.store.delete(probe)
            raise
        else:
            logger.warning(
                "storage: %s does not know conditional writes (If-None-Match): nothing keeps two writers of one run apart",
                self.store.root,
            )
        self.store.delete(probe)

    def manifest_of_file(self, path: str) -> Manifest | None:
        """The manifest of a file, or None: then the file does not exist."""
        return self._manifest(file_manifest(path))

    def manifest_of_folder(self, path: str) -> Manifest | None:
        """The manifest of a folder, or None: then the folder does not exist."""
        return self._manifest(f"{path}/{MANIFEST}")

    def put_file(
        self,
        local: Path,
        path: str,
        *,
        kind: str,
        rows: int | None = None,
        metrics: dict[str, float] | None = None,
        provenance: Provenance | None = None,
        made_with: dict[str, str] | None = None,
    ) -> ArtifactRef:
        """Write a file and then its manifest."""
        publication = self._publication(file_manifest(path), path)
        entry = _entry(path.rsplit("/", 1)[-1], publication.put(local, path), rows)
        manifest = _manifest([entry], kind, rows, metrics, provenance, made_with)
        publication.finish(_encoded(manifest))
        return ArtifactRef(uri=self.store.uri(path), sha256=entry.sha256, rows=rows, size=entry.size)

    def put_folder(
        self,
        local: Path,
        path: str,
        *,
        kind: str,
        metrics: dict[str, float] | None = None,
        provenance: Provenance | None = None,
        made_with: dict[str, str] | None = None,
    ) -> ArtifactRef:
        """Write every file below `local` and then the folder's manifest. What else was in the folder is deleted."""
        names = sorted(file.relative_to(local).as_posix() for file in local.rglob("*") if file.is_file())
        seen = self.store.versions(f"{path}/")
        publication = Publication(self.store, f"{path}/{MANIFEST}", seen)
        entries = [_entry(name, publication.put(local / name, f"{path}/{name}")) for name in names]
        reference = self._sealed(
            publication, path, _manifest(entries, kind, None, metrics, provenance, made_with)
        )
        for left_over in seen.keys() - {f"{path}/{name}" for name in (*names, MANIFEST)}:
            self.store.delete(left_over)
        return reference

    def seal_folder(
        self,
        path: str,
        entries: Iterable[FileEntry],
        *,
        kind: str,
        rows: int | None = None,
        metrics: dict[str, float] | None = None,
        provenance: Provenance | None = None,
        made_with: dict[str, str] | None = None,
    ) -> ArtifactRef:
        """Write the manifest of a folder whose files are already in place: from now on it exists."""
        publication = self._publication(f"{path}/{MANIFEST}")
        manifest = _manifest(entries, kind, rows, metrics, provenance, made_with)
        return self._sealed(publication, path, manifest)

    def _publication(self, manifest: str, *data: str) -> Publication:
        """The beginning of an artefact of these objects."""
        found = self.store.versions(data[0] if data else manifest)
        return Publication(
            self.store, manifest, {path: found[path] for path in (manifest, *data) if path in found}
        )

    def _sealed(self, publication: Publication, path: str, manifest: Manifest) -> ArtifactRef:
        data = _encoded(manifest)
        publication.finish(data)
        return ArtifactRef(
            uri=self.store.uri(path),
            sha256=hashlib.sha256(data).hexdigest(),
            rows=manifest.rows,
            size=sum(entry.size for entry in manifest.files),
        )

    def get_file(self, path: str, local: Path) -> Manifest | None:
        """Copy a file here and check it; None where it does not exist.

        Raises:
            CorruptArtifact: the bytes do not match the manifest.
        """
        manifest = self.manifest_of_file(path)
        if manifest is None:
            return None
        self._fetch(path, local, manifest.files[0])
        return manifest

    def get_folder(self, path: str, local: Path) -> Manifest | None:
        """Copy a folder here and check every file; None where it does not exist.

        Raises:
            CorruptArtifact: a file is missing or does not match the manifest.
        """
        manifest = self.manifest_of_folder(path)
        if manifest is None:
            return None
        for entry in manifest.files:
            self.get_part(path, entry, local / entry.path)
        return manifest

    def get_part(self, path: str, entry: FileEntry, local: Path) -> None:
        """Copy one file of a folder here and check it against its entry in the folder's manifest.

        Raises:
            CorruptArtifact: the file is missing or does not match.
        """
        self._fetch(f"{path}/{entry.path}", local, entry)

    def delete_folder(self, path: str) -> None:
        """Delete a folder, its manifest first, so that a half-deleted one does not exist."""
        self.store.delete(f"{path}/{MANIFEST}")
        for name in list(self.store.list(path)):
            self.store.delete(name)

    def _manifest(self, path: str) -> Manifest | None:
        data = self.store.read(path)
        if data is None or is_claim(data):
            return None
        try:
            return Manifest.model_validate_json(data)
        except ValidationError as error:
            raise _unreadable(self.store.uri(path), error) from error

    def _fetch(self, path: str, local: Path, entry: FileEntry) -> None:
        uri = self.store.uri(path)
        if not self.store.download(path, local):
            raise CorruptArtifact(
                f"storage: {uri} is named in its manifest but is missing: delete the manifest"
            )
        if local.stat().st_size != entry.size or sha256_of(local) != entry.sha256:
            local.unlink()
            raise CorruptArtifact(
                f"storage: {uri} does not match its manifest (sha256 {entry.sha256[:12]}..., {entry.size} bytes): "
                "delete the file and its manifest before their folder is used again"
            )


def _unreadable(uri: str, error: ValidationError) -> StageFailure:
    """What a manifest that cannot be read is: another version's, whose artefact is whole and must not be deleted, or none."""
    found = [problem["input"] for problem in error.errors() if problem["loc"] == ("version",)]
    if any(isinstance(version, int) and version > VERSION for version in found):
        return BadConfig(
            f"storage: {uri} was written by a newer version of reflect-operator (manifest version {found[0]}, this one "
            f"reads {VERSION}); go on with that version's image, or use another name or spec.storage.uri",
            reason=Reason.DATASET_MISMATCH,
        )
    return CorruptArtifact(f"storage: {uri} is not a manifest: delete it")


def _entry(path: str, stored: Stored, rows: int | None = None) -> FileEntry:
    return FileEntry(path=path, size=stored.size, sha256=stored.sha256, rows=rows)


def _manifest(
    entries: Iterable[FileEntry],
    kind: str,
    rows: int | None,
    metrics: dict[str, float] | None,
    provenance: Provenance | None,
    made_with: dict[str, str] | None,
) -> Manifest:
    return Manifest(
        kind=kind,
        files=list(entries),
        rows=rows,
        metrics=metrics or {},
        provenance=provenance or Provenance(),
        versions=made_with or versions(),
    )


def _encoded(manifest: Manifest) -> bytes:
    return manifest.to_json(indent=2).encode()
