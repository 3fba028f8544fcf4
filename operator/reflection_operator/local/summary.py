"""The table at the end of a run: what changed, with intervals, and where everything is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from reflection_api.conditions import Condition, ConditionType
from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import model_path, run_uri, stage_path
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Comparison
from rich.console import Console
from rich.table import Table

_NOTE = "* on the same failed answers of the base model; the last two rows are controls"


def folder_of(resource: ReflectionTraining) -> Path:
    """The run's folder on this machine."""
    uri = run_uri(
        resource.spec.storage.uri, resource.metadata.namespace, resource.metadata.name, resource.metadata.uid
    )
    return Path(unquote(urlparse(uri).path))


def evaluation_of(resource: ReflectionTraining) -> EvaluationResult | None:
    """The newest round's evaluation, where it is there."""
    for number in range(resource.spec.rounds, 0, -1):
        file = folder_of(resource) / stage_path(number, Stage.EVALUATE) / "result.json"
        if file.is_file():
            return EvaluationResult.model_validate_json(file.read_bytes())
    return None


def newest_model(resource: ReflectionTraining) -> Path | None:
    """The folder of the newest trained model."""
    for number in range(resource.spec.rounds, 0, -1):
        folder = folder_of(resource) / model_path(number)
        if folder.is_dir():
            return folder
    return None


def summary(resource: ReflectionTraining, logs: Path) -> dict[str, Any]:
    """The end of the run as JSON values: how it ended, the evaluation, the places."""
    ended = next((item for item in _conditions(resource) if item.type == ConditionType.SUCCEEDED), None)
    result = evaluation_of(resource)
    return {
        "name": resource.metadata.name,
        "phase": resource.status.phase.value if resource.status and resource.status.phase else None,
        "reason": ended.reason if ended else None,
        "message": ended.message if ended else None,
        "evaluation": result.to_dict() if result else None,
        **{name.lower(): str(place) if place else None for name, place in _places(resource, logs)},
    }


def print_summary(console: Console, resource: ReflectionTraining, logs: Path) -> None:
    """Print the comparison table and the places of report, model and logs."""
    result = evaluation_of(resource)
    if result is not None:
        console.print(_table(result))
        if result.retry_success is not None:
            console.print(_NOTE, highlight=False, soft_wrap=True)
    for name, place in _places(resource, logs):
        if place is not None:
            console.print(f"{name:<8}{place}", highlight=False, soft_wrap=True)


def _places(resource: ReflectionTraining, logs: Path) -> list[tuple[str, Path | None]]:
    report = folder_of(resource) / stage_path(1, Stage.REPORT) / "report.md"
    return [
        ("Report", report if report.is_file() else None),
        ("Model", newest_model(resource)),
        ("Logs", logs),
    ]


def _conditions(resource: ReflectionTraining) -> list[Condition]:
    return resource.status.conditions if resource.status else []


def _table(result: EvaluationResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("held-out questions", no_wrap=True)
    for name in ("base", "trained", "change (95%)", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [
        ("first try", result.first_try),
        ("second try (cumulative)", result.second_try),
        ("retry after reflection *", result.retry_success),
        ("fresh try instead *", result.fresh_try),
        ("another question's reflection *", result.shuffled),
    ]
    for name, comparison in rows:
        if comparison is not None:
            table.add_row(name, *_cells(comparison))
    return table


def _cells(comparison: Comparison) -> tuple[str, str, str, str]:
    low, high = comparison.interval
    return (
        f"{comparison.base:.3f}",
        f"{comparison.trained:.3f}",
        f"{comparison.change:+.3f} [{low:+.3f}, {high:+.3f}]",
        f"{comparison.samples:,}",
    )
