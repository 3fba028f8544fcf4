"""OCI image archives without a container engine: layers, config, manifest and index in one tar file.

The same inputs give the same bytes: every entry has the owner root and the same time. What such an archive is: the image layout
of https://github.com/opencontainers/image-spec, as `docker load`, `ctr images import`, `skopeo` and `crane push` read it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX = "application/vnd.oci.image.index.v1+json"
_GZIP_LEVEL = 6


class Layer(NamedTuple):
    """A compressed layer and the digest of what is in it."""

    data: bytes
    diff_id: str


class LayerWriter:
    """Collects the entries of one layer; a name that comes twice keeps its first entry."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)
        self._names: set[str] = set()

    def folder(self, name: str, mode: int = 0o755) -> None:
        """A folder, and those above it."""
        above, _, _ = name.rpartition("/")
        if above:
            self.folder(above)
        self._add(_entry(name, tarfile.DIRTYPE, mode))

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._parent(name)
        entry = _entry(name, tarfile.REGTYPE, mode)
        entry.size = len(data)
        self._add(entry, data)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._parent(name)
        entry = _entry(name, tarfile.SYMTYPE, 0o777)
        entry.linkname = target
        self._add(entry)

    def tree(self, folder: Path, name: str) -> None:
        """Everything below a folder of this machine, as it is there, below `name`."""
        for path in sorted(folder.rglob("*")):
            inside = f"{name}/{path.relative_to(folder)}"
            if path.is_symlink():
                self.link(inside, str(path.readlink()))
            elif path.is_dir():
                self.folder(inside)
            else:
                self.file(inside, path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)

    def layer(self) -> Layer:
        self._tar.close()
        plain = self._buffer.getvalue()
        return Layer(gzip.compress(plain, _GZIP_LEVEL, mtime=0), _digest(plain))

    def _parent(self, name: str) -> None:
        above, _, _ = name.rpartition("/")
        if above:
            self.folder(above)

    def _add(self, entry: tarfile.TarInfo, data: bytes = b"") -> None:
        if entry.name not in self._names:
            self._names.add(entry.name)
            self._tar.addfile(entry, io.BytesIO(data))


def write_archive(target: Path, name: str, layers: Iterable[Layer], settings: Mapping[str, Any]) -> str:
    """Write an image; its digest.

    Args:
        target: the archive.
        name: of the image, with its tag.
        layers: lowest first.
        settings: what the config says of how it runs: Entrypoint, Env, User, WorkingDir, Labels.
    """
    layers = list(layers)
    platform = {"architecture": "amd64", "os": "linux"}
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
    config = _json(platform | {"config": dict(settings), "rootfs": rootfs})
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, layer.data) for layer in layers],
        }
    )
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    described = _descriptor(_MANIFEST, manifest) | {"platform": platform, "annotations": names}
    index = _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [described]})
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".new")
    with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        _put(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        for blob in (*(layer.data for layer in layers), config, manifest):
            _put(archive, f"blobs/sha256/{_digest(blob).partition(':')[2]}", blob)
        _put(archive, "index.json", index)
    unfinished.replace(target)
    return _digest(manifest)


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = _entry(name, tarfile.REGTYPE, 0o644)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, 0
    entry.uname = entry.gname = "root"
    return entry


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
