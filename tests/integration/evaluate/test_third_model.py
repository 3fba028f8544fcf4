"""A third model beside base and trained one, and questions of training beside those held out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reflection_api.contract import ProgressReport

from ...support.stage_runs import run_stage_here
from .conftest import MODEL, evaluation, inodes, result_in, rows, stage_folder


def test_a_third_model_beside_the_trained_one(
    tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = {
        "evaluation.compareModel": {"uri": other_model.as_uri()},
        "evaluation.controls": ["swappedReflection"],
    }
    run = run_stage_here(evaluation(tmp_path, **third), tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0
    folder = stage_folder(tmp_path)
    result = result_in(folder)
    compared = result.compared
    assert compared is not None
    assert compared.uri == other_model.as_uri()
    assert compared.first_try.trained == result.first_try.trained
    assert compared.retry_success is not None
    assert compared.retry_success.samples == result.fixed_failures
    for figures in (compared.first_try, compared.second_try, compared.retry_success):
        assert figures.difference == pytest.approx(figures.trained - figures.other)
        assert figures.interval[0] < figures.difference < figures.interval[1]
    theirs = rows(folder, "compared-second-*.parquet")
    on_fixed = [row for row in theirs if row["fixed"]]
    assert [row["failed"] for row in on_fixed] == [
        row["failed"] for row in rows(folder, "base-second-*.parquet")
    ]
    assert compared.retry_success.other == sum(row["retry_correct"] for row in on_fixed) / len(on_fixed)
    first = rows(folder, "compared-first-*.parquet")
    assert compared.first_try.other == sum(row["correct"] for row in first) / len(first)
    progress = ProgressReport.model_validate_json((tmp_path / "scratch" / "progress.json").read_bytes())
    assert (progress.done, progress.total) == (60, 60)


def test_questions_of_training_beside_those_held_out(
    tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the sample of ten both models are asked all, with the engine that the held-out questions have started."""
    beside = {"evaluation.trainPrompts": 10, "evaluation.compareModel": {"uri": MODEL.as_uri()}}
    config = evaluation(tmp_path, trained=other_model, **beside)
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0
    folder = stage_folder(tmp_path)
    result = result_in(folder)
    train = result.on_train_prompts
    assert train is not None
    assert (train.first_try.questions, train.first_try.samples) == (10, 40)
    for who, share in (("base", train.first_try.base), ("trained", train.first_try.trained)):
        first = rows(folder, f"train-{who}-first-*.parquet")
        assert share == sum(row["correct"] for row in first) / len(first)
    on_fixed = [row for row in rows(folder, "train-trained-second-*.parquet") if row["fixed"]]
    assert train.retry_success is not None
    assert train.retry_success.trained == sum(row["retry_correct"] for row in on_fixed) / len(on_fixed)
    held_out = {row["question"] for row in rows(folder, "base-first-*.parquet")}
    assert not held_out & {row["question"] for row in rows(folder, "train-base-first-*.parquet")}
    assert (result.first_try.questions, result.first_try.samples) == (15, 60)
    assert not rows(folder, "train-compared-*.parquet")
    progress = ProgressReport.model_validate_json((tmp_path / "scratch" / "progress.json").read_bytes())
    assert (progress.done, progress.total) == (65, 65)

    made = inodes(folder, "*.parquet")
    again = run_stage_here(config, tmp_path / "again", monkeypatch)
    assert again.result == run.result
    assert inodes(folder, "*.parquet") == made


def test_a_third_model_that_is_not_there_is_named_by_its_own_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = evaluation(tmp_path, **{"evaluation.compareModel": {"uri": (tmp_path / "none").as_uri()}})
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert (run.exit_code, run.result.reason) == (78, "InvalidModel")
    assert run.result.message.startswith(
        f"spec.evaluation.compareModel.uri: {(tmp_path / 'none').as_uri()}: "
    )


def test_neither_is_one_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Path(shutil.copytree(MODEL, tmp_path / "broken"))
    (broken / "chat_template.jinja").unlink()
    config = evaluation(tmp_path, **{"evaluation.compareModel": {"uri": broken.as_uri()}})
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert (run.exit_code, run.result.reason) == (78, "InvalidModel")
    assert run.result.message.startswith(
        f"spec.evaluation.compareModel.uri: {broken.as_uri()} has no chat template"
    )
