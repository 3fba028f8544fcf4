"""What a finished stage leaves in the status: the dataset, the evaluation's figures, the headline metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from reflection_api.contract import StageResult
from reflection_api.layout import run_uri, stage_path
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import (
    Comparison,
    Cursor,
    DatasetStatus,
    EvaluationStatus,
    ReflectionTrainingStatus,
)

from .results import artifact, count, metrics_of


def uri_of(resource: ReflectionTraining, at: Cursor, *path: str) -> str:
    """Where the artefacts of a stage lie."""
    metadata = resource.metadata
    folder = run_uri(resource.spec.storage.uri, metadata.namespace, metadata.name, metadata.uid)
    return "/".join((folder, stage_path(at.round, at.stage), *path))


def recorded(
    resource: ReflectionTraining,
    status: ReflectionTrainingStatus,
    at: Cursor,
    parts: Sequence[StageResult] | None,
) -> ReflectionTrainingStatus:
    """The status with the results of a finished stage in it; unknown results change nothing."""
    if at.stage is Stage.REPORT:
        return status.model_copy(update={"report_uri": uri_of(resource, at)})
    if parts is None:
        return status
    figures = metrics_of(at.stage, parts)
    update: dict[str, Any] = {"metrics": figures} if figures else {}
    if at.stage is Stage.VERIFY:
        update |= _dataset(uri_of(resource, at), figures, parts)
    if at.stage is Stage.EVALUATE:
        update["evaluation"] = _evaluation(uri_of(resource, at, "result.json"), figures)
    return status.model_copy(update=update)


def _dataset(uri: str, figures: Mapping[str, float], parts: Sequence[StageResult]) -> dict[str, Any]:
    failures, attempts = count(figures, "failures"), count(figures, "attempts")
    if failures is None or attempts is None:
        return {}
    manifest = artifact(parts, uri)
    sha256 = manifest.sha256 if manifest else None
    return {"dataset": DatasetStatus(uri=uri, failures=failures, attempts=attempts, sha256=sha256)}


def _evaluation(uri: str, figures: Mapping[str, float]) -> EvaluationStatus:
    return EvaluationStatus(
        uri=uri,
        first_try=_comparison(figures, "firstTry", "firstTry"),
        second_try=_comparison(figures, "secondTry", "gain"),
        retry_success=_comparison(figures, "retry", "retry"),
    )


def _comparison(figures: Mapping[str, float], value: str, interval: str) -> Comparison | None:
    """From metrics `<value>Base`, `<value>Trained`, `<interval>Low`, `<interval>High`; None where one is no fraction."""
    names = (f"{value}Base", f"{value}Trained", f"{interval}Low", f"{interval}High")
    questions, samples = count(figures, "questions"), count(figures, "samples")
    if questions is None or samples is None or not all(name in figures for name in names):
        return None
    base, trained, low, high = (figures[name] for name in names)
    change = round(trained - base, 9)
    try:
        return Comparison(
            base=base,
            trained=trained,
            change=change,
            interval=[low, high],
            questions=questions,
            samples=samples,
        )
    except ValidationError:
        return None
