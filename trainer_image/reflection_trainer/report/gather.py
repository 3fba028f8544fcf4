"""Collects what a run left in storage. Every artefact is checked against its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reflection_api.evaluation import EvaluationResult
from reflection_api.gates import missed_gates
from reflection_api.layout import model_path, stage_path
from reflection_api.manifests import Manifest
from reflection_api.spec import GatesSpec
from reflection_api.stages import Stage

from ..evaluate.result import metrics_of
from ..storage import Artifacts
from ..train.metrics import WINDOW_SHARE, read_metrics
from ..verify.audit_file import read_record
from .content import Cost, Report, Round, Settings, Training
from .settings import manifests
from .told import told

_CURVE_POINTS = 200
_METRICS = "metrics.jsonl"
_RESULT = "result.json"
_DEAD = ("deadGroupShare", "allRightShare", "allWrongShare")
_STAGES = (Stage.ROLLOUT, Stage.VERIFY, Stage.TRAIN, Stage.EVALUATE)


def gather(artifacts: Artifacts, settings: Settings, rounds: int, workdir: Path) -> Report:
    """Everything that the run's artefacts say.

    Args:
        artifacts: of the run's folder.
        settings: what the run was told.
        rounds: how many rounds were begun.
        workdir: for copies of artefacts, one at a time.

    Raises:
        CorruptArtifact: one does not match its manifest.
    """
    gathered = [_Round(artifacts, settings, number, workdir) for number in range(1, rounds + 1)]
    return Report(
        **{name: getattr(settings, name) for name in Settings.model_fields},
        rounds=[number.content() for number in gathered],
        versions=_merged(number.made_with for number in gathered),
    )


@dataclass
class _Round:
    artifacts: Artifacts
    settings: Settings
    number: int
    workdir: Path
    made_with: list[dict[str, str]] = field(default_factory=list)

    def content(self) -> Round:
        failures = self._noted(self.artifacts.manifest_of_folder(self._path(Stage.VERIFY)))
        model = self._noted(self.artifacts.manifest_of_folder(model_path(self.number)))
        lines, result = self._metrics(), self._result()
        gates = GatesSpec.model_validate(self.settings.evaluation.get("gates", {}))
        return Round(
            round=self.number,
            failures=failures.metrics if failures else {},
            audit=read_record(self.artifacts, self._path(Stage.VERIFY), self.workdir),
            training=summarised(lines, self.settings.training) if lines else None,
            evaluation=result,
            missed_gates=missed_gates(gates, metrics_of(result)) if result else [],
            costs=list(self._costs(lines)),
            model_uri=self.artifacts.store.uri(model_path(self.number)) if model else None,
            **(told(self.artifacts, self.number, self._seed, self.workdir) if result else {}),
        )

    @property
    def _seed(self) -> int:
        return int(self.settings.task.get("prompts", {}).get("seed", 0))

    def _path(self, stage: Stage, name: str = "") -> str:
        folder = stage_path(self.number, stage)
        return f"{folder}/{name}" if name else folder

    def _result(self) -> EvaluationResult | None:
        local = self.workdir / f"{self.number}-{_RESULT}"
        if self.artifacts.get_file(self._path(Stage.EVALUATE, _RESULT), local) is None:
            return None
        return EvaluationResult.model_validate_json(local.read_bytes())

    def _metrics(self) -> list[dict[str, float]]:
        local = self.workdir / f"{self.number}-{_METRICS}"
        self.artifacts.get_file(self._path(Stage.TRAIN, _METRICS), local)
        return read_metrics(local)

    def _costs(self, lines: list[dict[str, float]]) -> Iterable[Cost]:
        for stage in _STAGES:
            # The manifests of single files: those of a folder only add them up.
            found = [manifest for _, manifest in manifests(self.artifacts, self._path(stage))]
            made = [self._noted(manifest).metrics for manifest in found]
            if stage is Stage.TRAIN:
                made = [_of_a_step(line) for line in lines]
            if made:
                tokens = _sum(made, "tokens")
                yield Cost(
                    stage=stage,
                    seconds=_sum(made, "seconds"),
                    tokens=None if tokens is None else int(tokens),
                    gpus=_gpus(stage, self.settings),
                )

    def _noted(self, manifest: Any) -> Any:
        """The manifest; what made it is remembered."""
        if isinstance(manifest, Manifest):
            self.made_with.append(manifest.versions)
        return manifest


def summarised(lines: list[dict[str, float]], training: Mapping[str, Any]) -> Training:
    """A training from the lines of its metrics file, one at least, and its settings."""
    window = max(1, round(len(lines) * WINDOW_SHARE))
    stride = -(-len(lines) // _CURVE_POINTS)
    per_step = int(training.get("failuresPerStep", 0))
    drawn = [line.get("groups", per_step) for line in lines]
    dead, right, wrong = (
        sum(round(line.get(name, 0.0) * groups) for line, groups in zip(lines, drawn, strict=True))
        for name in _DEAD
    )
    groups = round(sum(drawn)) if _DEAD[0] in lines[-1] else 0
    return Training(
        steps=int(lines[-1]["step"]),
        window=window,
        first=_means(lines[:window]),
        last=_means(lines[-window:]),
        curve=lines[::stride],
        reflections_per_step=round(sum(drawn) / len(drawn))
        * int(training.get("method", {}).get("numGenerations", 0)),
        groups=groups,
        live_groups=groups - dead,
        all_right_groups=right,
        all_wrong_groups=wrong,
    )


def _means(lines: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for line in lines for name in line if name != "step"})
    values = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def _of_a_step(line: Mapping[str, float]) -> dict[str, float]:
    return {
        "seconds": line.get("seconds", 0.0),
        "tokens": line.get("tokensReflect", 0.0) + line.get("tokensRetry", 0.0),
    }


def _gpus(stage: Stage, settings: Settings) -> int:
    if stage is Stage.TRAIN:
        return int(settings.training.get("nodes", 1)) * int(settings.training.get("gpusPerNode", 0))
    return 0 if stage is Stage.VERIFY else int(settings.rollout.get("gpusPerWorker", 0))


def _sum(made: Iterable[Mapping[str, float]], name: str) -> float | None:
    """The sum of a figure; None where nobody measured it."""
    values = [metrics[name] for metrics in made if name in metrics]
    return sum(values) if values else None


def _merged(made_with: Iterable[list[dict[str, str]]]) -> dict[str, str]:
    """Each package with its version, or its versions where stages had different ones."""
    found: dict[str, set[str]] = {}
    for versions in (versions for number in made_with for versions in number):
        for package, version in versions.items():
            found.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(version)) for package, version in sorted(found.items())}
