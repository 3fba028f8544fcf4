"""The real stage with the real model of the example."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import ProgressReport, StageResult

from ...support.stage_runs import (
    StageRun,
    check_full_is_told,
    check_read_only_is_told,
    run_stage,
    run_stage_here,
    start_stage,
    write_prompts,
)
from .conftest import HELD_OUT, MODEL, evaluation, inodes, result_in, rows, stage_folder

COMPARISONS = ("first_try", "second_try", "retry_success", "fresh_try", "shuffled")
GUARD_SECONDS = 200


def check_that_nothing_changed(run: StageRun, folder: Path) -> None:
    """The trained model is the base model: with the same seeds it says the same, word for word."""
    assert run.exit_code == 0, run.stderr
    result = result_in(folder)
    for name in COMPARISONS:
        comparison = getattr(result, name)
        assert comparison.change == 0
        assert comparison.interval[0] < 0 < comparison.interval[1]
    assert (result.first_try.questions, result.first_try.samples) == (15, 60)
    [one_of] = result.pass_at_k
    assert one_of.first_try.base > result.first_try.base
    assert one_of.first_try.change == one_of.second_try.change == 0
    assert 0 < result.first_try.base < 1
    assert result.second_try.base > result.first_try.base
    base, trained = (rows(folder, f"{who}-second-*.parquet") for who in ("base", "trained"))
    assert [row for row in trained if row["fixed"]] == base
    assert len(base) == result.fixed_failures == run.result.metrics["fixedFailures"]
    # The own failures of the trained model are the fixed ones, and draw the same second tries.
    honest = sum(row["retry_correct"] and not row["leak"] for row in base) / len(base)
    assert result.without_leaks is not None
    assert result.without_leaks.base == pytest.approx(honest)
    own = [(row["question_id"], row["attempt"], row["retry"]) for row in trained if not row["fixed"]]
    assert own == [(row["question_id"], row["attempt"], row["retry"]) for row in base]


def check_the_controls(folder: Path) -> None:
    """What the files of a finished evaluation say about themselves."""
    base = rows(folder, "base-second-*.parquet")
    assert all(row["failed"] != row["fresh"] for row in base if row["fresh_correct"])
    first = rows(folder, "base-first-*.parquet")
    assert len(base) == sum(not row["correct"] for row in first)
    assert {row["shuffled_retry"] is None for row in base} == {False}
    assert any(row["shuffled_retry"] != row["retry"] for row in base)


def test_a_model_is_compared_with_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = evaluation(tmp_path)
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    folder = stage_folder(tmp_path)
    check_that_nothing_changed(run, folder)
    check_the_controls(folder)
    progress = ProgressReport.model_validate_json((tmp_path / "scratch" / "progress.json").read_bytes())
    assert (progress.done, progress.total, progress.unit) == (30, 30, "questions")
    [artifact] = run.result.artifacts
    assert artifact.uri == (folder / "result.json").as_uri()

    made, before = inodes(folder, "*.parquet"), (folder / "result.json").read_bytes()
    again = run_stage_here(config, tmp_path / "again", monkeypatch)
    assert again.result == run.result
    assert inodes(folder, "*.parquet") == made
    assert (folder / "result.json").read_bytes() == before


def test_a_storage_that_is_read_only(tmp_path: Path) -> None:
    check_read_only_is_told(evaluation(tmp_path), tmp_path / "runs", tmp_path / "scratch")


def test_a_storage_that_is_full(tmp_path: Path) -> None:
    left = check_full_is_told(evaluation(tmp_path), tmp_path / "runs", tmp_path / "scratch", room=4)
    assert {Path(path).name for path in left} == {"base-first-00000-of-00001.parquet"}


@pytest.mark.vllm
@pytest.mark.slow
def test_vllm_compares_a_model_with_itself(tmp_path: Path) -> None:
    """Two engines one after the other in one process: the first one's memory must be free again."""
    run = run_stage(evaluation(tmp_path, **{"rollout.engine": "vllm"}), tmp_path / "scratch")
    check_that_nothing_changed(run, stage_folder(tmp_path))
    check_the_controls(stage_folder(tmp_path))


def test_another_model_says_other_things_on_the_same_failures(
    tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_stage_here(evaluation(tmp_path, trained=other_model), tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0
    folder = stage_folder(tmp_path)
    base, trained = (rows(folder, f"{who}-second-*.parquet") for who in ("base", "trained"))
    fixed = [row for row in trained if row["fixed"]]
    for name in ("question_id", "attempt", "failed", "reason"):
        assert [row[name] for row in fixed] == [row[name] for row in base]
    assert [row["reflection"] for row in fixed] != [row["reflection"] for row in base]
    own = {(row["question_id"], row["attempt"]) for row in trained if not row["fixed"]}
    wrong = {
        (row["question_id"], row["attempt"])
        for row in rows(folder, "trained-first-*.parquet")
        if not row["correct"]
    }
    assert own == wrong


def test_every_control(tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base model is loaded once more, for its retries after the other model's reflections."""
    every = {
        "evaluation.controls": ["plainRetry", "genericReflection", "swappedReflection"],
        "evaluation.genericReflection": "i was careless",
    }
    config = evaluation(tmp_path, trained=other_model, **every)
    run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0
    folder = stage_folder(tmp_path)
    result = result_in(folder)
    for name in ("plain_retry", "generic_reflection", "swapped_reflection"):
        assert getattr(result, name).samples > result.fixed_failures / 2, name
    for name in ("against_plain", "against_generic", "against_base", "given_to_base"):
        assert getattr(result, f"reflection_{name}").samples > result.fixed_failures / 2, name
    base, trained, crossed = (
        rows(folder, f"{who}-second-*.parquet") for who in ("base", "trained", "crossed")
    )
    fixed = [row for row in trained if row["fixed"]]
    assert [row["plain"] for row in base] != [row["plain"] for row in fixed]
    assert [row["retry"] for row in crossed] != [row["swapped_retry"] for row in fixed]
    assert [row["reflection"] for row in crossed] == [row["reflection"] for row in fixed]
    assert {row["swapped_retry"] for row in base} == {None}, "its swapped retries are the crossed ones"
    progress = ProgressReport.model_validate_json((tmp_path / "scratch" / "progress.json").read_bytes())
    assert (progress.done, progress.total) == (45, 45)
    made = inodes(folder, "*.parquet")
    again = run_stage_here(config, tmp_path / "again", monkeypatch)
    assert again.result == run.result
    assert inodes(folder, "*.parquet") == made


def test_the_next_round_takes_over_what_follows_from_base_or_third_model_alone(
    tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = {"evaluation.compareModel": {"uri": other_model.as_uri()}}
    assert run_stage_here(evaluation(tmp_path, **third), tmp_path / "1", monkeypatch).exit_code == 0
    first, second = stage_folder(tmp_path), stage_folder(tmp_path, 2)
    made = inodes(first, "*")
    assert {name.split("-")[0] for name in made if "-" in name} == {"base", "compared", "trained"}
    config = evaluation(tmp_path, trained=other_model, number=2, **third)
    assert run_stage_here(config, tmp_path / "2", monkeypatch).exit_code == 0
    assert inodes(first, "*") == made
    assert {name.split("-")[0] for name in inodes(second, "*") if "-" in name} == {"trained"}
    results = [result_in(folder) for folder in (first, second)]
    assert [each.compared is None for each in results] == [False, False]
    assert len({each.compared.first_try.other for each in results if each.compared}) == 1
    assert results[0].first_try.base == results[1].first_try.base
    assert results[0].first_try.trained != results[1].first_try.trained


def test_where_everything_is_right_there_is_nothing_to_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the model says without chance is made the right answer."""
    greedy = {
        "rollout.sampling": {"temperature": 0, "maxTokens": 8},
        "task.verifier": {"builtin": {"name": "exact"}},
    }
    questions = [json.loads(line)["prompt"] for line in HELD_OUT.read_text().splitlines()[:6]]

    def prompts(name: str, answers: list[str]) -> dict[str, str]:
        pairs = zip(questions, answers, strict=True)
        file = write_prompts(
            tmp_path / name, [{"prompt": prompt, "answer": answer} for prompt, answer in pairs]
        )
        return {"uri": file.as_uri()}

    config = evaluation(
        tmp_path / "wrong", **greedy | {"evaluation.prompts": prompts("wrong.jsonl", ["never said"] * 6)}
    )
    assert run_stage_here(config, tmp_path / "1", monkeypatch).exit_code == 0
    said = rows(stage_folder(tmp_path / "wrong"), "base-first-*.parquet")
    answers = [row["completion"] for row in said if row["attempt"] == 0]
    assert result_in(stage_folder(tmp_path / "wrong")).second_try.base == 0

    right = greedy | {"evaluation.prompts": prompts("right.jsonl", answers)}
    run = run_stage_here(evaluation(tmp_path / "right", **right), tmp_path / "2", monkeypatch)
    assert run.exit_code == 0
    assert "the base model failed nowhere" in run.result.note
    result = result_in(stage_folder(tmp_path / "right"))
    assert (result.second_try.base, result.second_try.trained, result.fixed_failures) == (1, 1, 0)
    assert [name for name in COMPARISONS if getattr(result, name) is None] == [*COMPARISONS[2:]]


@pytest.mark.slow
def test_killed_twice_it_goes_on_where_it_was(tmp_path: Path, other_model: Path) -> None:
    """Once between two shards of the base model, once between the two models."""
    many = {"evaluation.prompts": {"uri": HELD_OUT.as_uri(), "limit": 100}}
    whole = run_stage(evaluation(tmp_path / "whole", trained=other_model, **many), tmp_path / "scratch")
    assert whole.exit_code == 0, whole.stderr
    config = evaluation(tmp_path / "killed", trained=other_model, **many)
    folder = stage_folder(tmp_path / "killed")
    kept: dict[str, int] = {}
    for turn, complete in enumerate(
        ("base-second-00000-*.manifest.json", "base-second-00001-*.manifest.json")
    ):
        process = start_stage(config, tmp_path / f"turn-{turn}")
        deadline = time.monotonic() + GUARD_SECONDS
        while not list(folder.glob(complete)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert kept.items() <= inodes(folder, "*.parquet").items(), "finished answers were made again"
        kept = {
            name: inode
            for name, inode in inodes(folder, "*.parquet").items()
            if (folder / f"{name}.manifest.json").exists()
        }
    assert len(kept) == 4, "the second kill came too late to show anything"
    last = run_stage(config, tmp_path / "last")
    assert last.exit_code == 0, last.stderr
    assert kept.items() <= inodes(folder, "*.parquet").items()
    assert result_in(folder) == result_in(stage_folder(tmp_path / "whole"))


def test_the_configuration_may_come_from_the_environment(tmp_path: Path) -> None:
    """As in a pod: no arguments but the stage."""
    config = evaluation(tmp_path, **{"evaluation.prompts": {"uri": HELD_OUT.as_uri(), "limit": 2}})
    (tmp_path / "config.json").write_text(config.to_json())
    log = tmp_path / "termination-log"
    done = subprocess.run(
        [sys.executable, "-m", "reflection_trainer", "evaluate"],
        env={
            **os.environ,
            "REFLECT_CONFIG": str(tmp_path / "config.json"),
            "REFLECT_TERMINATION_LOG": str(log),
        },
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    result = StageResult.model_validate_json(log.read_text())
    assert (result.outcome, result.metrics["questions"]) == ("Succeeded", 2)


def refused(config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code, reason and message; nothing may have been written."""
    folder = stage_folder(tmp_path, config.round)
    before = inodes(folder, "*")
    run = run_stage_here(config, tmp_path / "refused", monkeypatch)
    assert inodes(folder, "*") == before
    return run.exit_code, run.result.reason, run.result.message


def test_answers_made_with_other_settings_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"evaluation.prompts": {"uri": HELD_OUT.as_uri(), "limit": 3}}
    assert run_stage_here(evaluation(tmp_path, **few), tmp_path / "made", monkeypatch).exit_code == 0
    code, reason, message = refused(
        evaluation(tmp_path, **few, **{"training.retryMaxTokens": 9}), tmp_path, monkeypatch
    )
    assert (code, reason) == (78, "DatasetMismatch")
    assert "sampling.retryMaxTokens: 8, not 9" in message


def test_answers_of_another_trained_model_are_refused(
    tmp_path: Path, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"evaluation.prompts": {"uri": HELD_OUT.as_uri(), "limit": 3}}
    assert run_stage_here(evaluation(tmp_path, **few), tmp_path / "made", monkeypatch).exit_code == 0
    code, reason, message = refused(evaluation(tmp_path, trained=other_model, **few), tmp_path, monkeypatch)
    assert (code, reason) == (78, "DatasetMismatch")
    assert "trained-first" in message
    assert "model.sha256" in message


def test_without_a_trained_model_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, reason, message = refused(evaluation(tmp_path, trained=None), tmp_path, monkeypatch)
    assert (code, reason) == (65, "ArtifactCorrupt")
    assert message.endswith("round-1/train/model holds no complete model: run the train stage")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"training.reflectionMaxTokens": 120},
            78,
            "spec.training.reflectionMaxTokens: 120 and retryMaxTokens: 8: even the shortest conversation",
        ),
        ({"rollout.sampling": {"maxTokens": 126}}, 65, "with spec.rollout.sampling.maxTokens: 126"),
        ({"task.templates.retry": "{{ row.missing }}"}, 78, "spec.task.templates.retry"),
        ({"evaluation.prompts": {"uri": "file:///nowhere/h.jsonl"}}, 78, "spec.evaluation.prompts.uri"),
    ],
)
def test_what_cannot_work_is_refused_before_a_model_is_loaded(
    changes: dict[str, Any], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _, message = refused(evaluation(tmp_path, **changes), tmp_path, monkeypatch)
    assert found == code
    assert words in message


def test_second_tries_without_room_are_told_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a context of 128 tokens some failed answers leave room for a reflection of 70 tokens, and some do not."""
    tight = {
        "rollout.sampling": {"temperature": 2.0, "maxTokens": 40},
        "training.reflectionMaxTokens": 70,
    }
    run = run_stage_here(evaluation(tmp_path, **tight), tmp_path / "scratch", monkeypatch)
    assert run.exit_code == 0
    result = result_in(stage_folder(tmp_path))
    assert 0 < result.too_long < 2 * result.fixed_failures
    assert f"{result.too_long} second tries count as wrong" in run.result.note


def test_the_example_s_model_is_there() -> None:
    assert (MODEL / "model.safetensors").is_file()
