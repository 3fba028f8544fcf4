"""What a run leaves in storage, where that is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import MANIFEST, model_path, run_uri, stage_path
from reflection_api.reasons import Reason
from reflection_api.resource import ReflectionTraining
from reflection_api.rules import LOCAL_SCHEME
from reflection_api.stages import Stage


class ArtefactsGone(Exception):
    """A run has ended, and what it made is no longer there."""


def uri_of(resource: ReflectionTraining) -> str:
    """The run's folder in storage."""
    metadata = resource.metadata
    return run_uri(resource.spec.storage.uri, metadata.namespace, metadata.name, metadata.uid)


def folder_of(resource: ReflectionTraining) -> Path | None:
    """The run's folder on this machine; None where its storage is elsewhere."""
    uri = uri_of(resource)
    return Path(unquote(urlparse(uri).path)) if uri.startswith(LOCAL_SCHEME) else None


def evaluation_of(resource: ReflectionTraining) -> EvaluationResult | None:
    """The newest round's evaluation, where it is here."""
    for number, folder in _rounds(resource):
        file = _result(folder, number)
        if file.is_file():
            return EvaluationResult.model_validate_json(file.read_bytes())
    return None


def newest_model(resource: ReflectionTraining) -> Path | None:
    """The folder of the newest trained model, where it is complete and here."""
    models = (folder / model_path(number) for number, folder in _rounds(resource))
    return next((model for model in models if (model / MANIFEST).is_file()), None)


def check_kept(resource: ReflectionTraining, workdir: Path) -> None:
    """Make sure that what a run that has succeeded was for is still there: its model and its evaluation.

    Raises:
        ArtefactsGone: it is not.
    """
    folder = folder_of(resource)
    verdict = resource.status.verdict if resource.status else None
    if folder is None or verdict is None:
        return
    last = resource.spec.rounds
    learnt = verdict.reason == Reason.COMPLETED
    wanted = (folder, folder / model_path(last), _result(folder, last)) if learnt else (folder,)
    missing = next((place for place in wanted if not place.exists()), None)
    if missing is not None:
        raise ArtefactsGone(
            f"{resource.metadata.name} is done, but {missing} is gone: put it back, or remove {workdir} and run the same "
            "command again to make it anew"
        )


def _rounds(resource: ReflectionTraining) -> Iterator[tuple[int, Path]]:
    """The rounds, newest first, each with the run's folder; none where that is elsewhere."""
    folder = folder_of(resource)
    if folder is not None:
        yield from ((number, folder) for number in range(resource.spec.rounds, 0, -1))


def _result(folder: Path, round_number: int) -> Path:
    return folder / stage_path(round_number, Stage.EVALUATE) / "result.json"
