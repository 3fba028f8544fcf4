"""`hf://` through huggingface_hub, with revision and token."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec

from ..errors import BadConfig, DependencyAway, StageFailure

_MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py"]
"""What a model needs here; other weight formats are left out."""

_DATASET_FILE = re.compile(r"^hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<file>.+)$")


def hub_model(model: ModelSpec, *, token: str | None) -> Path:
    """Download (or find in the cache) a model repository; returns its snapshot folder."""
    repo = model.uri.removeprefix("hf://")
    try:
        return Path(snapshot_download(repo, revision=model.revision, token=token, allow_patterns=_MODEL_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise _explained(error, "spec.model.uri", model.uri, Reason.INVALID_MODEL) from error


def hub_file(uri: str, field: str, *, token: str | None) -> Path:
    """Download (or find in the cache) one file of a dataset repository: hf://datasets/org/name[@revision]/file."""
    match = _DATASET_FILE.match(uri)
    if match is None:
        raise BadConfig(
            f"{field}.uri: {uri}: expected hf://datasets/org/name/file or hf://datasets/org/name@revision/file",
            reason=Reason.INVALID_PROMPTS,
        )
    try:
        return Path(
            hf_hub_download(
                match["repo"], match["file"], repo_type="dataset", revision=match["revision"], token=token
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise _explained(error, f"{field}.uri", uri, Reason.INVALID_PROMPTS) from error


def _explained(error: Exception, field: str, uri: str, reason: Reason) -> StageFailure:
    where = f"{field}: {uri}"
    if isinstance(error, GatedRepoError):
        return BadConfig(
            f"{where}: the repository is gated: accept its terms and give a token (spec.model.credentialsSecret, or HF_TOKEN)",
            reason=reason,
        )
    if isinstance(error, RevisionNotFoundError):
        return BadConfig(f"{where}: there is no such revision", reason=reason)
    if isinstance(error, RepositoryNotFoundError):
        return BadConfig(
            f"{where}: there is no such repository, or it is private: check the name, or give a token "
            "(spec.model.credentialsSecret, or HF_TOKEN)",
            reason=reason,
        )
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return BadConfig(f"{where}: there is no such file in the repository", reason=reason)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return BadConfig(f"{where}: {error}", reason=reason)
    return DependencyAway(
        f"{where}: the hub did not answer ({type(error).__name__}); check the network, HF_ENDPOINT and HF_HUB_OFFLINE",
        reason=Reason.DEPENDENCY_UNAVAILABLE,
    )
