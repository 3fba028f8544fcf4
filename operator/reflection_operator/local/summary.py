"""The table at the end of a run: what changed, with intervals, and where everything is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reflection_api.conditions import Condition, ConditionType
from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import model_path, stage_path
from reflection_api.reasons import Reason
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Comparison, ReflectionTrainingStatus
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .artefacts import evaluation_of, folder_of, newest_model, uri_of

_CONTROLS = (
    "", "; the last row is a control", *(f"; the last {n} rows are controls" for n in ("two", "three", "four", "five")),
)  # fmt: skip
"""What to know of the table, by the number of controls in it."""


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
        "notes": _notes(resource),
        **{name.lower(): place for name, place in _places(resource, logs)},
    }


def print_summary(console: Console, resource: ReflectionTraining, logs: Path) -> None:
    """Print the comparison table, what to know beside it, and the places of report, model and logs."""
    result = evaluation_of(resource)
    if console.is_terminal:
        console.print()  # after the stages
    if result is not None:
        console.print(_table(result))
        if result.retry_success is not None:
            console.print(_note(result), highlight=False, soft_wrap=True)
    for stage, note in _notes(resource).items():
        console.print(Text(f"Note    {stage}: {note}"), highlight=False, soft_wrap=True)
    for name, place in _places(resource, logs):
        if place is not None:
            console.print(Text(f"{name:<8}{place}"), highlight=False, soft_wrap=True)


def _places(resource: ReflectionTraining, logs: Path) -> list[tuple[str, str | None]]:
    """Report, model and logs: paths on this machine, URIs of a storage that is elsewhere."""
    status = resource.status or ReflectionTrainingStatus()
    folder = folder_of(resource)
    if folder is None:
        learnt = status.verdict is not None and status.verdict.reason == Reason.COMPLETED
        model = f"{uri_of(resource)}/{model_path(resource.spec.rounds)}" if learnt else None
        return [("Report", status.report_uri), ("Model", model), ("Logs", str(logs))]
    report, trained = folder / stage_path(1, Stage.REPORT) / "index.html", newest_model(resource)
    return [
        ("Report", str(report) if report.is_file() else None),
        ("Model", str(trained) if trained else None),
        ("Logs", str(logs)),
    ]


def _notes(resource: ReflectionTraining) -> dict[str, str]:
    return resource.status.notes if resource.status else {}


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
        *((f"first try, pass@{row.k}", row.first_try) for row in result.pass_at_k),
        *((f"second try, pass@{row.k}", row.second_try) for row in result.pass_at_k),
        ("retry after reflection *", result.retry_success),
        *_controls(result),
        *_on_train_prompts(result),
    ]
    for name, comparison in rows:
        if comparison is not None:
            table.add_row(name, *_cells(comparison))
    return table


def _note(result: EvaluationResult) -> str:
    count = sum(comparison is not None for _, comparison in _controls(result))
    return f"* on the same failed answers of the base model{_CONTROLS[count]}"


def _controls(result: EvaluationResult) -> list[tuple[str, Comparison | None]]:
    return [
        ("fresh try instead *", result.fresh_try),
        ("another question's reflection *", result.shuffled),
        ("asked again, no reflection *", result.plain_retry),
        ("a general sentence *", result.generic_reflection),
        ("the other model's reflection *", result.swapped_reflection),
    ]


def _on_train_prompts(result: EvaluationResult) -> list[tuple[str, Comparison | None]]:
    train = result.on_train_prompts
    return [
        (f"{name}, training's questions", getattr(train, field, None))
        for name, field in (
            ("first try", "first_try"),
            ("second try", "second_try"),
            ("retry", "retry_success"),
        )
    ]


def _cells(comparison: Comparison) -> tuple[str, str, str, str]:
    low, high = comparison.interval
    return (
        f"{comparison.base:.3f}",
        f"{comparison.trained:.3f}",
        f"{comparison.change:+.3f} [{low:+.3f}, {high:+.3f}]",
        f"{comparison.samples:,}",
    )
