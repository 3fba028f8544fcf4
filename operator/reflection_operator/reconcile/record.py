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
    VerifierStatus,
)

from .notes import noted
from .results import artifact, count, headline, metrics_of


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
    status = status.model_copy(update={"notes": noted(status.notes, at.stage, parts or ())})
    if parts is None:
        return status
    figures = metrics_of(at.stage, parts)
    if at.stage is Stage.EVALUATE:
        # Not among the metrics, which go on to show the training's.
        return status.model_copy(
            update={"evaluation": _evaluation(uri_of(resource, at, "result.json"), figures)}
        )
    update: dict[str, Any] = {"metrics": headline(figures)} if figures else {}
    if at.stage is Stage.VERIFY:
        update |= _dataset(uri_of(resource, at), figures, parts)
        if audit := parts[0].audit:
            update["verifier"] = VerifierStatus(audit=audit)
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
    if not all(name in figures for name in names):
        return None
    base, trained, low, high = (figures[name] for name in names)
    if not -1 <= low <= high <= 1:  # a difference of two fractions
        return None
    # The figures on the fixed failures have counts of their own.
    questions, samples = (
        count(figures, f"{value}{noun.capitalize()}") or count(figures, noun) or 0
        for noun in ("questions", "samples")
    )
    try:
        return Comparison(
            base=base,
            trained=trained,
            change=round(trained - base, 9),
            interval=[low, high],
            questions=questions,
            samples=samples,
        )
    except ValidationError:
        return None
