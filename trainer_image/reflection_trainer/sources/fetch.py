"""Models and prompts by URI: hf://, pvc://, file:// and the artefacts of a run."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

from reflection_api.contract import CLAIM_MOUNTS
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec, PromptsSpec

from ..context import StageContext
from ..errors import BadConfig, StageFailure
from .hub import hub_file, hub_model


def fetch_model(model: ModelSpec, context: StageContext) -> Path:
    """A local folder with the model's Hugging Face files.

    Raises:
        StageFailure: the model is missing, unreadable or incomplete; the message names spec.model and the remedy.
    """
    if model.uri.startswith(f"{context.artifacts.store.root}/"):
        return _of_this_run(model.uri, context)
    if model.uri.startswith("hf://"):
        return hub_model(model, token=os.environ.get("HF_TOKEN"))
    folder = _local_path(model.uri, "spec.model.uri")
    if not (folder / "config.json").is_file():
        raise BadConfig(
            f"spec.model.uri: {model.uri}: there is no config.json in {folder}: give a folder in Hugging Face format",
            reason=Reason.INVALID_MODEL,
        )
    return folder


def fetch_prompts(prompts: PromptsSpec, field: str) -> Path:
    """A local copy of a prompts file; `field` is its place in the spec, for messages.

    Raises:
        StageFailure: the file is missing or unreadable.
    """
    if prompts.uri.startswith("hf://"):
        return hub_file(prompts.uri, field, token=os.environ.get("HF_TOKEN"))
    path = _local_path(prompts.uri, f"{field}.uri")
    if not path.is_file():
        raise BadConfig(f"{field}.uri: {prompts.uri}: there is no such file", reason=Reason.INVALID_PROMPTS)
    return path


def _of_this_run(uri: str, context: StageContext) -> Path:
    path = uri.removeprefix(f"{context.artifacts.store.root}/")
    folder = context.workdir / path.replace("/", "-")
    if context.artifacts.get_folder(path, folder) is None:
        raise BadConfig(f"{uri}: the round before left no model there", reason=Reason.INVALID_MODEL)
    return folder


def _local_path(uri: str, field: str) -> Path:
    parts = urlparse(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "pvc":
        return Path(CLAIM_MOUNTS) / parts.netloc / unquote(parts.path).lstrip("/")
    raise _unsupported(uri, field)


def _unsupported(uri: str, field: str) -> StageFailure:
    return BadConfig(f"{field}: {uri}: this version reads hf://, pvc:// and file:// only", reason=Reason.INVALID_SPEC)
