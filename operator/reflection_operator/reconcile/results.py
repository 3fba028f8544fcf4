"""What the pods of an attempt say at their end: StageResults in termination messages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError
from reflection_api.base import MAX_INT53
from reflection_api.contract import MAX_TERMINATION_MESSAGE, ArtifactRef, StageResult
from reflection_api.stages import Stage

from .observed import ObservedJob, ObservedPod, PodPhase

_MAX_METRICS = 16
_METRIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,63}")
_SUMMED = (Stage.ROLLOUT, Stage.VERIFY)
"""Each pod of these counts its own shard; in the others the first pod speaks for all."""


def result_of(pod: ObservedPod, stage: Stage) -> StageResult | None:
    """The result in a pod's termination message; None where the message is anything else."""
    text = pod.terminated.message if pod.terminated else ""
    if not text or len(text.encode(errors="replace")) > MAX_TERMINATION_MESSAGE:
        return None
    try:
        result = StageResult.model_validate_json(text)
    except (ValidationError, UnicodeError):
        return None
    return result if result.stage is stage else None


def results(job: ObservedJob, pods: Iterable[ObservedPod]) -> tuple[StageResult, ...] | None:
    """The results of all pods of a completed Job, by index; None where that of any is not known (any more)."""
    by_index: dict[int, StageResult] = {}
    for pod in pods:
        result = result_of(pod, job.stage) if pod.phase is PodPhase.SUCCEEDED else None
        if result and result.outcome == "Succeeded":
            by_index[pod.index] = result
    complete = all(index in by_index for index in range(job.completions))
    return tuple(by_index[index] for index in range(job.completions)) if complete else None


def metrics_of(stage: Stage, parts: Sequence[StageResult]) -> dict[str, float]:
    """The metrics of a stage from those of its pods, ordered by index."""
    if stage not in _SUMMED:
        return sound(parts[0].metrics)
    total: dict[str, float] = {}
    for part in parts:
        for name, value in sound(part.metrics).items():
            total[name] = total.get(name, 0) + value
    return sound(total)


def sound(reported: Mapping[str, float]) -> dict[str, float]:
    """The metrics that JSON can hold and that are named like metrics."""
    return {
        name: value
        for name, value in reported.items()
        if _METRIC_NAME.fullmatch(name) and math.isfinite(value)
    }


def headline(figures: Mapping[str, float]) -> dict[str, float]:
    """As many metrics as a status holds."""
    return dict(list(figures.items())[:_MAX_METRICS])


def count(values: Mapping[str, float], name: str) -> int | None:
    """A metric that counts something; None where it is absent or no count."""
    value = values.get(name)
    return int(value) if value is not None and 0 <= value <= MAX_INT53 else None


def artifact(parts: Iterable[StageResult], uri: str) -> ArtifactRef | None:
    """The artefact at `uri` or, for a folder, its manifest."""
    wanted = (uri, f"{uri}/manifest.json")
    return next((item for part in parts for item in part.artifacts if item.uri.rstrip("/") in wanted), None)
