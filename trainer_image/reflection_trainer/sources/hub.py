"""`hf://` through huggingface_hub, with revision and token. What is downloaded once is taken from its cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.constants import DEFAULT_REVISION
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

from ..errors import BadConfig, DependencyAway, StageFailure, first_line
from . import MODEL_FILES

_DATASET_FILE = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<file>.+)")
_TOKEN = "a token (spec.model.credentialsSecret, or HF_TOKEN)"
_FORBIDDEN = (401, 403)


def hub_model(model: ModelSpec, *, token: str | None) -> Path:
    """Download a model repository, or find it in the cache; returns its snapshot folder.

    Raises:
        BadConfig: there is no such repository or revision, or access is denied (reason InvalidModel).
        DependencyAway: the hub does not answer.
    """
    repo = model.uri.removeprefix("hf://")
    with _explained("spec.model", model.uri, model.revision, Reason.INVALID_MODEL):
        return Path(
            snapshot_download(repo, revision=model.revision, token=token, allow_patterns=list(MODEL_FILES))
        )


def hub_file(uri: str, field: str, *, token: str | None) -> Path:
    """Download one file of a dataset repository, or find it in the cache: hf://datasets/org/name[@revision]/file.

    Raises:
        BadConfig: there is no such file, or access is denied (reason InvalidPrompts).
        DependencyAway: the hub does not answer.
    """
    match = _DATASET_FILE.fullmatch(uri)
    if match is None:
        raise BadConfig(
            f"{field}.uri: {uri}: expected hf://datasets/org/name/file or hf://datasets/org/name@revision/file",
            reason=Reason.INVALID_PROMPTS,
        )
    with _explained(field, uri, match["revision"], Reason.INVALID_PROMPTS):
        return Path(
            hf_hub_download(
                match["repo"], match["file"], repo_type="dataset", revision=match["revision"], token=token
            )
        )


@contextmanager
def _explained(field: str, uri: str, revision: str | None, reason: Reason) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise _failure(error, field, uri, revision, reason) from error


def _failure(error: Exception, field: str, uri: str, revision: str | None, reason: Reason) -> StageFailure:
    problem = _problem_of_user(error, revision)
    if problem:
        return BadConfig(f"{field}.uri: {uri}: {problem}", reason=reason)
    if isinstance(error, OSError) and error.errno and not isinstance(error, HfHubHTTPError):
        return DependencyAway(
            f"{field}.uri: {uri}: cannot store the download: {error.strerror}; mend the folder of HF_HOME",
            reason=Reason.DEPENDENCY_UNAVAILABLE,
        )
    return DependencyAway(
        f"{field}.uri: {uri}: the hub did not answer ({first_line(_root(error))}); "
        "check the network, HF_ENDPOINT and HF_HUB_OFFLINE",
        reason=Reason.DEPENDENCY_UNAVAILABLE,
    )


def _problem_of_user(error: Exception, revision: str | None) -> str:
    """What the author of the resource has to mend, if it is theirs to mend."""
    match error:
        case GatedRepoError():
            return f"the repository is gated: accept its terms, and give {_TOKEN}"
        case RevisionNotFoundError():
            return f"there is no revision {revision or DEFAULT_REVISION} of it; name a branch, tag or commit that exists"
        case RepositoryNotFoundError():
            return f"there is no such repository, or it is private: check the name, or give {_TOKEN}"
        case EntryNotFoundError() if not isinstance(error, LocalEntryNotFoundError):
            return "there is no such file in the repository; check the name"
        case ValueError() if not isinstance(error, OSError):
            return f"this is not the name of a repository: {first_line(error)}"
        case _ if _status(error) in _FORBIDDEN:
            return f"access is denied ({_status(error)}): give {_TOKEN} that may read it"
        case _:
            return ""


def _status(error: BaseException | None) -> int | None:
    """The HTTP status behind an error; the library wraps it when it finds nothing in the cache either."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return error.response.status_code
        error = error.__cause__
    return None


def _root(error: BaseException) -> BaseException:
    """What began it: the library's own words are about its cache."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
