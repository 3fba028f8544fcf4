"""What a report says, gathered from the run's artefacts. A part that the run did not reach is absent."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import MANIFEST, model_path, stage_path
from reflection_api.stages import Stage

from ..context import StageContext
from ..storage import Artifacts


class Transcript(ApiModel):
    """One failure of the base model, and what each model made of it."""

    question: str
    failed: str
    base_reflection: str
    base_retry: str
    base_correct: bool
    trained_reflection: str
    trained_retry: str
    trained_correct: bool


class Training(ApiModel):
    """What training logged."""

    steps: int
    first: dict[str, float] = Field(description="Mean of every figure over the first tenth of the steps.")
    last: dict[str, float] = Field(description="Mean of every figure over the last tenth of the steps.")
    window: int = Field(description="Steps in that tenth.")
    curve: list[dict[str, float]] = Field(description="Logged figures, at most 200 evenly spaced steps.")


class Round(ApiModel):
    """One round."""

    round: int
    failures: dict[str, float] = Field(
        default_factory=dict, description="Counts of the dataset: attempts, correct, failures."
    )
    training: Training | None = None
    evaluation: EvaluationResult | None = None
    transcripts: list[Transcript] = Field(default_factory=list, description="A sample of the fixed failures.")
    model_uri: str | None = None


class Report(ApiModel):
    """The whole report."""

    name: str
    namespace: str
    uri: str = Field(description="Folder of the run.")
    model: dict[str, Any]
    task: dict[str, Any]
    rollout: dict[str, Any]
    training: dict[str, Any]
    evaluation: dict[str, Any]
    rounds: list[Round]
    versions: dict[str, str]

    @property
    def final(self) -> EvaluationResult | None:
        """The newest round's evaluation."""
        return next((number.evaluation for number in reversed(self.rounds) if number.evaluation), None)


_CURVE_POINTS = 200


def gather(
    context: StageContext, transcripts: dict[int, list[Transcript]], versions: dict[str, str]
) -> Report:
    """Everything that the run's artefacts say."""
    config = context.config
    rounds = [
        _round(context.artifacts, number, transcripts.get(number, []))
        for number in range(1, config.round + 1)
    ]
    return Report(
        name=config.run.name,
        namespace=config.run.namespace,
        uri=config.run_uri,
        model=config.model.to_dict(),
        task=config.task.to_dict(),
        rollout=config.rollout.to_dict(),
        training=config.training.to_dict(),
        evaluation=config.evaluation.to_dict(),
        rounds=rounds,
        versions=versions,
    )


def _round(artifacts: Artifacts, number: int, transcripts: list[Transcript]) -> Round:
    store = artifacts.store
    failures = artifacts.manifest_of_folder(stage_path(number, Stage.VERIFY))
    result = store.read(f"{stage_path(number, Stage.EVALUATE)}/result.json")
    model = store.read(f"{model_path(number)}/{MANIFEST}")
    return Round(
        round=number,
        failures=failures.metrics if failures else {},
        training=_training(store.read(f"{stage_path(number, Stage.TRAIN)}/metrics.jsonl")),
        evaluation=EvaluationResult.model_validate_json(result) if result else None,
        transcripts=transcripts,
        model_uri=store.uri(model_path(number)) if model else None,
    )


def _training(data: bytes | None) -> Training | None:
    rows = [json.loads(line) for line in (data or b"").splitlines() if line.strip()]
    if not rows:
        return None
    window = max(1, len(rows) // 10)
    stride = -(-len(rows) // _CURVE_POINTS)
    return Training(
        steps=int(rows[-1]["step"]),
        first=_means(rows[:window]),
        last=_means(rows[-window:]),
        window=window,
        curve=[_numbers(row) for row in rows[::stride]],
    )


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if isinstance(value, int | float)}


def _means(rows: list[dict[str, Any]]) -> dict[str, float]:
    numbers = [_numbers(row) for row in rows]
    names = {name for row in numbers for name in row if name != "step"}
    return {
        name: sum(row[name] for row in numbers if name in row) / sum(name in row for row in numbers)
        for name in sorted(names)
    }
