"""Models and prompts by URI: hf://, s3://, pvc://, file:// and the artefacts of a run."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlparse

from reflection_api.contract import CLAIM_MOUNTS, WORKDIR_VARIABLE
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec, PromptsSpec, StorageSpec

from ..context import StageContext
from ..errors import BadConfig
from .s3 import s3_file, s3_model


def fetch_model(model: ModelSpec, context: StageContext) -> Path:
    """A local folder with the model's Hugging Face files.

    Raises:
        StageFailure: the model is missing or unreadable; the message names spec.model and the remedy.
    """
    if model.uri.startswith(f"{context.artifacts.store.root}/"):
        return _of_this_run(model.uri, context)
    if model.uri.startswith("hf://"):
        from .hub import hub_model

        return hub_model(model, token=os.environ.get("HF_TOKEN"))
    if model.uri.startswith("s3://"):
        folder = context.workdir / f"model-{_digest(model.uri)}"
        return s3_model(model.uri, "spec.model.uri", folder, context.config.storage)
    folder = _local_path(model.uri, "spec.model.uri")
    where = f"spec.model.uri: {model.uri}"
    try:
        _open_all(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass  # more is said below
    except OSError as error:
        raise BadConfig(
            f"{where}: {error.filename} cannot be read: {error.strerror}; correct its permissions, or copy the model again",
            reason=Reason.INVALID_MODEL,
        ) from error
    if not folder.is_dir():
        raise BadConfig(
            f"{where}: there is no folder {folder}; correct the path", reason=Reason.INVALID_MODEL
        )
    if not (folder / "config.json").is_file():
        raise BadConfig(
            f"{where}: there is no config.json in {folder}; give a folder in Hugging Face format",
            reason=Reason.INVALID_MODEL,
        )
    return folder


def fetch_prompts(prompts: PromptsSpec, field: str, storage: StorageSpec | None = None) -> Path:
    """A local copy of a prompts file.

    Args:
        prompts: which.
        field: its place in the spec, for messages.
        storage: how S3 is reached.

    Raises:
        StageFailure: the file is missing or unreadable.
    """
    if prompts.uri.startswith("hf://"):
        from .hub import hub_file

        return hub_file(prompts.uri, field, token=os.environ.get("HF_TOKEN"))
    if prompts.uri.startswith("s3://"):
        folder = Path(tempfile.mkdtemp(prefix="prompts-", dir=os.environ.get(WORKDIR_VARIABLE)))
        return s3_file(prompts.uri, f"{field}.uri", folder, storage or StorageSpec(uri=prompts.uri))
    path = _local_path(prompts.uri, f"{field}.uri")
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise BadConfig(
            f"{field}.uri: {prompts.uri}: cannot be read: {error.strerror}; correct the path or its permissions",
            reason=Reason.INVALID_PROMPTS,
        ) from error


def local_folder(uri: str, field: str) -> Path:
    """The folder of a `pvc://` or `file://` URI.

    Raises:
        BadConfig: there is none.
    """
    folder = _local_path(uri, field)
    if not folder.is_dir():
        raise BadConfig(
            f"{field}: {uri}: there is no folder {folder}; correct the path", reason=Reason.INVALID_SPEC
        )
    return folder


def _open_all(folder: Path) -> None:
    """Open every file: a library that cannot reports what it happens to make of that."""
    for file in folder.iterdir():
        if file.is_file():
            with file.open("rb") as opened:
                opened.read(1)


def _of_this_run(uri: str, context: StageContext) -> Path:
    path = uri.removeprefix(f"{context.artifacts.store.root}/")
    folder = context.workdir / path.replace("/", "-")
    if context.artifacts.get_folder(path, folder) is None:
        raise BadConfig(f"{uri}: the round before left no model there", reason=Reason.INVALID_MODEL)
    return folder


def _digest(uri: str) -> str:
    """Tells the folders of several models apart."""
    return hashlib.sha256(uri.encode()).hexdigest()[:8]


def _local_path(uri: str, field: str) -> Path:
    parts = urlparse(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "pvc":
        return Path(CLAIM_MOUNTS) / parts.netloc / unquote(parts.path).lstrip("/")
    raise BadConfig(
        f"{field}: {uri}: this version reads hf://, s3://, pvc:// and file:// only",
        reason=Reason.INVALID_SPEC,
    )
