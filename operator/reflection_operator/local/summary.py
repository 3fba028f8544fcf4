"""The table at the end of a run: what changed, with intervals, and where everything is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import model_path, run_uri, stage_path
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Comparison
from rich.console import Console
from rich.table import Table


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


def print_summary(console: Console, resource: ReflectionTraining, logs: Path) -> None:
    """Print the comparison table and the places of report, model and logs."""
    result = evaluation_of(resource)
    if result is not None:
        console.print(_table(result))
    folder = folder_of(resource)
    report = folder / stage_path(1, Stage.REPORT) / "report.md"
    places = [
        ("Report", report if report.is_file() else None),
        ("Model", newest_model(resource)),
        ("Logs", logs),
    ]
    for name, place in places:
        if place is not None:
            console.print(f"{name:<8}{place}", highlight=False, soft_wrap=True)


def _table(result: EvaluationResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("held-out questions")
    for name in ("base", "trained", "change (95%)", "samples"):
        table.add_column(name, justify="right")
    rows = [
        ("first try", result.first_try),
        ("second try (cumulative)", result.second_try),
        ("retry after reflection, fixed failures", result.retry_success),
        ("control: fresh try instead", result.fresh_try),
        ("control: reflection of another question", result.shuffled),
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
