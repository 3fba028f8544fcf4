"""Benchmarks of lm-eval beside the evaluation, with a task of our own and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_trainer.evaluate import regression

from ...support.stage_runs import run_stage_here
from .conftest import evaluation, inodes, result_in, stage_folder

SUMS = {
    "task": "sums",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "sums.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
ROWS = [
    {
        "question": f"make {a + b} from {a} {b}",
        "choices": [f" {a} + {b}", f" {a} * {b}"],
        "answer": (a + b) % 2,
    }
    for a in range(2, 6)
    for b in range(2, 6)
]


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "sums.yaml").write_text(yaml.safe_dump(SUMS))
    (folder / "sums.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return folder


def asking(definitions: Path, *tasks: str, **more: Any) -> dict[str, Any]:
    return {
        "evaluation.regression": {"tasks": list(tasks), "definitions": {"uri": definitions.as_uri()}, **more}
    }


def test_base_and_trained_model_are_scored_once(
    tmp_path: Path, definitions: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = evaluation(tmp_path, trained=other_model, **asking(definitions, "sums", limit=12))
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0, run.result.message
    folder = stage_folder(tmp_path)
    (score,) = result_in(folder).regression
    assert (score.task, score.metric, score.samples, score.higher_is_better) == ("sums", "acc", 12, True)
    assert 0 <= score.base <= 1
    assert score.change == pytest.approx(score.trained - score.base)
    assert score.interval is not None
    assert score.interval[0] < score.change < score.interval[1]
    kept = [
        json.loads((folder / f"regression-{who}.json").read_text())["sums/acc"] for who in ("base", "trained")
    ]
    assert [each["value"] for each in kept] == [score.base, score.trained]

    for who in ("base", "trained"):
        manifest = json.loads((folder / f"regression-{who}.json.manifest.json").read_text())
        assert 0 < manifest["metrics"]["seconds"] < 60, "for the report's costs"

    made = inodes(folder, "regression-*.json")
    again = run_stage_here(config, tmp_path / "again", monkeypatch)
    assert again.result == run.result
    assert inodes(folder, "regression-*.json") == made

    other = evaluation(tmp_path, trained=None, **asking(definitions, "sums", limit=13))
    refused = run_stage_here(other, tmp_path / "other", monkeypatch)
    assert (refused.exit_code, refused.result.reason) == (78, "DatasetMismatch")
    assert "sampling.regression.limit: 12, not 13" in refused.result.message


def test_the_next_round_takes_the_base_model_s_scores_over(
    tmp_path: Path, definitions: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stage_folder(tmp_path), stage_folder(tmp_path, 2)
    settings = asking(definitions, "sums", limit=4)
    assert run_stage_here(evaluation(tmp_path, **settings), tmp_path / "1", monkeypatch).exit_code == 0
    made = inodes(first, "*")
    config = evaluation(tmp_path, trained=other_model, number=2, **settings)
    assert run_stage_here(config, tmp_path / "2", monkeypatch).exit_code == 0
    assert inodes(first, "*") == made
    assert set(inodes(second, "regression-*")) == {
        "regression-trained.json",
        "regression-trained.json.manifest.json",
    }
    base = [result_in(folder).regression[0].base for folder in (first, second)]
    assert base[0] == base[1]


@pytest.mark.parametrize(
    ("tasks", "reason", "words"),
    [
        (
            ["summs"],
            "InvalidSpec",
            'spec.evaluation.regression.tasks: "summs" is no task of lm-eval; did you mean sums?',
        ),
        (["sums", "broken"], "InvalidSpec", "spec.evaluation.regression: lm-eval fails: "),
    ],
)
def test_what_cannot_be_scored_is_named(
    tmp_path: Path,
    definitions: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks: list[str],
    reason: str,
    words: str,
) -> None:
    (definitions / "broken.yaml").write_text(
        yaml.safe_dump(SUMS | {"task": "broken", "doc_to_text": "{{nothing.at.all}}"})
    )
    run = run_stage_here(
        evaluation(tmp_path, **asking(definitions, *tasks)), tmp_path / "scratch", monkeypatch
    )
    assert (run.exit_code, run.result.reason) == (78, reason)
    assert run.result.message.startswith(words)
    assert not (stage_folder(tmp_path) / "result.json").exists()


def test_data_that_cannot_be_had_is_a_reason_to_try_again(
    tmp_path: Path, definitions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_stage_here(
        evaluation(tmp_path, **asking(definitions, "arc_easy")), tmp_path / "scratch", monkeypatch
    )
    assert (run.exit_code, run.result.reason) == (75, "DependencyUnavailable")
    assert run.result.message.startswith("spec.evaluation.regression: the data of a task cannot be had: ")


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "none"
    run = run_stage_here(evaluation(tmp_path, **asking(missing, "sums")), tmp_path / "scratch", monkeypatch)
    assert (run.exit_code, run.result.reason) == (78, "InvalidSpec")
    assert run.result.message.startswith(f"spec.evaluation.regression.definitions.uri: {missing.as_uri()}: ")


def test_without_lm_eval_it_is_refused(
    tmp_path: Path, definitions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regression, "find_spec", lambda _: None)
    run = run_stage_here(
        evaluation(tmp_path, **asking(definitions, "sums")), tmp_path / "scratch", monkeypatch
    )
    assert (run.exit_code, run.result.reason) == (78, "InvalidSpec")
    assert "reflect-operator[regression]" in run.result.message
