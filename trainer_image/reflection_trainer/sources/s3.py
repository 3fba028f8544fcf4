"""`s3://` models and prompts, through the same S3 service as the storage."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from reflection_api.reasons import Reason
from reflection_api.spec import StorageSpec

from ..errors import BadConfig
from ..storage import Artifacts, Store, Subject, open_store
from . import MODEL_FILES

_NEEDS = "reading it needs GetObject and ListBucket"
_RENEW = "store it again"


def s3_file(uri: str, field: str, folder: Path, storage: StorageSpec) -> Path:
    """Copy one object into a folder; it keeps its name.

    Raises:
        StageFailure: it is missing, or the storage does not give it.
    """
    subject = Subject(uri, field, Reason.INVALID_PROMPTS, _NEEDS, _RENEW)
    root, _, name = uri.rpartition("/")
    local = folder / name
    if not open_store(root, storage, subject).download(name, local):
        raise BadConfig(
            f"{field}: {uri}: there is no such object; correct the bucket or the key",
            reason=Reason.INVALID_PROMPTS,
        )
    return local


def s3_model(uri: str, field: str, folder: Path, storage: StorageSpec) -> Path:
    """Copy a model's files below a prefix into a folder. Where a manifest is beside them, they are checked against it.

    Raises:
        StageFailure: there are none, they do not match their manifest, or the storage does not give them.
    """
    root, _, name = uri.rstrip("/").rpartition("/")
    if root == "s3:/":
        raise BadConfig(
            f"{field}: {uri}: is a whole bucket; give a prefix of it, s3://bucket/prefix",
            reason=Reason.INVALID_MODEL,
        )
    store = open_store(root, storage, Subject(uri, field, Reason.INVALID_MODEL, _NEEDS, _RENEW))
    if Artifacts(store).get_folder(name, folder) is None:
        _copy(store, name, folder)
    if not (folder / "config.json").is_file():
        raise BadConfig(
            f"{field}: {uri}: there is no config.json below it; give a prefix with a model in Hugging Face format",
            reason=Reason.INVALID_MODEL,
        )
    return folder


def _copy(store: Store, name: str, folder: Path) -> None:
    for path in store.list(name):
        relative = path.removeprefix(f"{name}/")
        if any(fnmatch(relative, pattern) for pattern in MODEL_FILES):
            store.download(path, folder / relative)
