"""The end of a run: the table, what to know beside it, and where everything is."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from reflection_api.evaluation import OnTrainPrompts, PassAtK
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Phase, Verdict
from reflection_operator.local.records import Records, read_json
from reflection_operator.local.resource import accept, load
from reflection_operator.local.summary import print_summary, summary
from rich.console import Console

from ..reconcile.builders import resource as cluster_resource
from ..reconcile.builders import status_at
from .runs import EVALUATION, ROW, finished, remember_end, write_task


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "work")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_task(tmp_path / "[red]")


def remembered(records: Records, **status: object) -> ReflectionTraining:
    found = ReflectionTraining.model_validate(read_json(records.resource))
    return found.model_copy(update={"status": found.status.model_copy(update=status)})


def printed(resource: ReflectionTraining, records: Records) -> list[str]:
    console = Console(file=StringIO(), width=80)
    print_summary(console, resource, records.logs)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_all_there_is(file: Path, records: Records) -> None:
    folder = finished(file, records)
    (folder / "report").mkdir()
    (folder / "report/index.html").write_text("<!doctype html>")
    resource = remembered(records, notes={"rollout": "the limit is [b]400"})
    lines = printed(resource, records)
    assert lines[0].split() == ["held-out", "questions", "base", "trained", "change", "(95%)", "n"]
    assert [line.rpartition("  ")[0].split("  ")[0] for line in lines[1:4]] == [
        "first try",
        "second try (cumulative)",
        "retry after reflection *",
    ]
    assert "0.200" in lines[1]
    assert "+0.500 [+0.400, +0.600]" in lines[1]
    assert lines[4:] == [
        "* on the same failed answers of the base model",
        "Note    rollout: the limit is [b]400",
        f"Report  {folder}/report/index.html",
        f"Model   {folder}/round-1/train/model",
        f"Logs    {records.logs}",
    ]
    assert summary(resource, records.logs) | {"reason": None, "message": None} == {
        "name": "tiny",
        "phase": "Succeeded",
        "reason": None,
        "message": None,
        "evaluation": EVALUATION.to_dict(),
        "notes": {"rollout": "the limit is [b]400"},
        "report": f"{folder}/report/index.html",
        "model": f"{folder}/round-1/train/model",
        "logs": str(records.logs),
    }


def test_a_run_that_failed_early_has_its_logs(file: Path, records: Records) -> None:
    accept(load(file, []), records, file)
    remember_end(records, phase=Phase.FAILED, reason="InvalidPrompts")
    assert printed(remembered(records), records) == [f"Logs    {records.logs}"]


def test_a_model_that_is_not_complete_is_none(file: Path, records: Records) -> None:
    folder = finished(file, records)
    (folder / "round-1/train/model/manifest.json").unlink()
    assert not any(line.startswith("Model") for line in printed(remembered(records), records))


def test_a_storage_elsewhere_is_named_by_its_uris(records: Records) -> None:
    verdict = Verdict(succeeded=True, reason="Completed", message="")
    status = status_at(Stage.REPORT).model_copy(
        update={"verdict": verdict, "report_uri": "s3://team/runs/report"}
    )
    lines = printed(cluster_resource(status), records)
    assert lines == [
        "Report  s3://team/runs/report",
        "Model   s3://team/runs/ml/countdown-1a2b3c4d/round-1/train/model",
        f"Logs    {records.logs}",
    ]


def test_one_of_several_answers(file: Path, records: Records) -> None:
    folder = finished(file, records)
    row = PassAtK(k=4, first_try=ROW, second_try=ROW)
    result = EVALUATION.model_copy(update={"pass_at_k": [row]})
    (folder / "round-1/evaluate/result.json").write_text(result.to_json())
    lines = printed(remembered(records), records)
    assert [line.split("  ")[0] for line in lines[3:5]] == ["first try, pass@4", "second try, pass@4"]


def test_questions_of_training(file: Path, records: Records) -> None:
    folder = finished(file, records)
    train = OnTrainPrompts(first_try=ROW, second_try=ROW)
    result = EVALUATION.model_copy(update={"on_train_prompts": train})
    (folder / "round-1/evaluate/result.json").write_text(result.to_json())
    names = [line.split("  ")[0] for line in printed(remembered(records), records)]
    at = names.index("first try, training's questions")
    assert names[at + 1] == "second try, training's questions"
    assert "retry, training's questions" not in names


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (["fresh_try"], "; the last row is a control"),
        (["fresh_try", "shuffled"], "; the last two rows are controls"),
        (
            ["fresh_try", "shuffled", "plain_retry", "generic_reflection", "swapped_reflection"],
            "; the last five rows are controls",
        ),
    ],
    ids=["one", "two", "all"],
)
def test_controls(file: Path, records: Records, made: list[str], words: str) -> None:
    folder = finished(file, records)
    result = EVALUATION.model_copy(update=dict.fromkeys(made, ROW))
    (folder / "round-1/evaluate/result.json").write_text(result.to_json())
    lines = printed(remembered(records), records)
    assert f"* on the same failed answers of the base model{words}" in lines
    assert len([line for line in lines if " *  " in line]) == 1 + len(made)
