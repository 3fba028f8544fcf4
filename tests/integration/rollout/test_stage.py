"""The rollout stage as a process: what it leaves, how it goes on, what it refuses."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from reflection_api.manifests import Manifest
from reflection_trainer.engines import open_engine
from reflection_trainer.prompts import Question, held_out_split

from ...support.stage_runs import (
    StageRun,
    countdown_rows,
    run_stage,
    run_stage_here,
    start_stage,
    stored,
    write_prompts,
)
from .configuration import rollout_config

ROLLOUT = Path("default/tiny-01234567/round-1/rollout")


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def held_out_texts() -> set[str]:
    questions = [
        Question(id=str(n), messages=[{"role": "user", "content": row["prompt"]}], text=row["prompt"], row={})
        for n, row in enumerate(countdown_rows(81))
    ]
    return {question.text for question in held_out_split(questions, 0)[1]}


def test_every_question_but_the_held_out_ones_has_its_answers(finished: tuple[Path, StageRun]) -> None:
    rows = rows_of(finished[0])
    asked = {row["prompt"] for row in countdown_rows(81)}
    answered = {row["messages"][-1]["content"] for row in rows}
    assert len(held_out_texts()) == 9
    assert answered == asked - held_out_texts()
    assert sorted({(row["question_id"], row["attempt"]) for row in rows}) == [
        (id_, attempt) for id_ in sorted({row["question_id"] for row in rows}) for attempt in range(8)
    ]
    assert len({row["id"] for row in rows}) == len(rows) == 72 * 8


def test_a_row_holds_what_is_needed_to_judge_and_to_repeat_it(finished: tuple[Path, StageRun]) -> None:
    rows = rows_of(finished[0])
    for row in rows:
        columns = json.loads(row["row"])
        assert set(columns) == {"nums", "target"}
        assert row["messages"] == [
            {
                "role": "user",
                "content": f"make {columns['target']} from {columns['nums'][0]} {columns['nums'][1]}",
            }
        ]
        assert 1 <= row["tokens"] <= 8
        assert row["truncated"] == (row["tokens"] == 8) or not row["truncated"]
    assert len({row["seed"] for row in rows}) == len(rows)
    assert len({row["completion"] for row in rows}) > len(rows) / 2


def test_plain_datasets_reads_the_shards(finished: tuple[Path, StageRun], tmp_path: Path) -> None:
    loaded = datasets.load_dataset(
        "parquet", data_files=str(finished[0] / "*.parquet"), split="train", cache_dir=str(tmp_path)
    )
    assert loaded.num_rows == 72 * 8
    assert loaded.column_names == [
        "id", "question_id", "messages", "completion", "attempt", "seed", "tokens", "truncated", "row",
    ]  # fmt: skip


def test_the_result_counts_what_is_there(finished: tuple[Path, StageRun]) -> None:
    folder, run = finished
    rows = rows_of(folder)
    metrics = run.result.metrics
    assert (run.result.outcome, run.result.reason) == ("Succeeded", "Completed")
    assert run.result.message == "576 answers in 3 shards"
    assert metrics["tokens"] == sum(row["tokens"] for row in rows)
    assert metrics["truncated"] == sum(row["truncated"] for row in rows)
    assert (metrics["prompts"], metrics["attempts"], metrics["shards"], metrics["skippedShards"]) == (
        72,
        576,
        3,
        0,
    )
    assert metrics["tokensPerSecond"] > 0


def test_progress_ends_with_everything(finished: tuple[Path, StageRun]) -> None:
    folder, _ = finished
    progress = json.loads((folder.parents[4] / "scratch" / "progress.json").read_text())
    assert (progress["done"], progress["total"], progress["unit"]) == (576, 576, "answers")


def test_manifests_say_what_the_shards_were_made_from(finished: tuple[Path, StageRun]) -> None:
    manifests = [
        Manifest.model_validate_json(file.read_text()) for file in finished[0].glob("*.manifest.json")
    ]
    assert len(manifests) == 3
    assert sum(manifest.rows or 0 for manifest in manifests) == 576
    for manifest in manifests:
        assert manifest.kind == "attempts"
        assert manifest.provenance == manifests[0].provenance
        assert {"reflect-operator", "torch", "transformers"} <= manifest.versions.keys()
    provenance = manifests[0].provenance
    assert provenance.sampling["attemptsPerPrompt"] == 8
    assert provenance.prompts["heldOutShare"] == 0.1
    assert all(
        len(part["sha256"]) == 64 for part in (provenance.model, provenance.tokenizer, provenance.prompts)
    )


def test_a_finished_rollout_makes_nothing_again(
    finished: tuple[Path, StageRun], tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    folder, first = finished
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.iterdir()}
    config = rollout_config(
        folder=folder.parents[3],
        model=tiny_model,
        prompts=prompts,
        changes={"rollout.attemptsPerPrompt": 8},
    )
    run = run_stage(config, tmp_path)
    assert run.exit_code == 0
    assert run.result.metrics["skippedShards"] == 3
    assert run.result.metrics["tokens"] == first.result.metrics["tokens"]
    assert {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_other_settings_are_refused_with_the_difference(
    finished: tuple[Path, StageRun], tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    folder, _ = finished
    before = stored(folder)
    changes = {"rollout.attemptsPerPrompt": 8, "rollout.sampling.temperature": 0.5}
    run = run_stage(
        rollout_config(folder=folder.parents[3], model=tiny_model, prompts=prompts, changes=changes),
        tmp_path,
    )
    assert (run.exit_code, run.result.reason) == (78, "DatasetMismatch")
    assert "was made with other settings: sampling.temperature: 1.0, not 0.5" in run.result.message
    assert stored(folder) == before


def test_another_number_of_shards_does_not_hide_other_settings(
    finished: tuple[Path, StageRun], tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    """24 answers a question make more shards, with other names."""
    folder, _ = finished
    run = run_stage(
        rollout_config(
            folder=folder.parents[3],
            model=tiny_model,
            prompts=prompts,
            changes={"rollout.attemptsPerPrompt": 24},
        ),
        tmp_path,
    )
    assert (run.exit_code, run.result.reason) == (78, "DatasetMismatch")
    assert "sampling.attemptsPerPrompt: 8, not 24" in run.result.message


def test_workers_share_the_shards_and_say_the_same(
    finished: tuple[Path, StageRun], tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    changes = {"rollout.attemptsPerPrompt": 8, "rollout.workers": 2}
    config = rollout_config(folder=tmp_path / "runs", model=tiny_model, prompts=prompts, changes=changes)
    runs = [run_stage(config, tmp_path / str(index), index=index) for index in range(2)]
    assert [run.result.metrics["shards"] for run in runs] == [2, 1]
    assert [run.exit_code for run in runs] == [0, 0]
    assert rows_of(tmp_path / "runs" / ROLLOUT) == rows_of(finished[0])


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    def config(name: str):
        changes = {"rollout.attemptsPerPrompt": 64, "rollout.sampling.maxTokens": 24}
        return rollout_config(folder=tmp_path / name, model=tiny_model, prompts=prompts, changes=changes)

    assert run_stage(config("whole"), tmp_path / "a").exit_code == 0
    whole = tmp_path / "whole" / ROLLOUT
    killed = tmp_path / "killed" / ROLLOUT
    kept: dict[Path, int] = {}
    for turn in range(3):
        process = start_stage(config("killed"), tmp_path / f"b{turn}")
        deadline = time.monotonic() + 120
        while len(list(killed.glob("*.manifest.json"))) <= len(kept) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert all(file.stat().st_ino == inode for file, inode in kept.items()), (
            "a finished shard was made again"
        )
        kept = {file: file.stat().st_ino for file in killed.glob("*.manifest.json")}
    assert 0 < len(kept) < len(list(whole.glob("*.manifest.json"))), (
        "the kills came too late to show anything"
    )
    last = run_stage(config("killed"), tmp_path / "c")
    assert last.result.metrics["skippedShards"] >= len(kept)
    shards = sorted(file.name for file in whole.glob("*.parquet"))
    assert sorted(file.name for file in killed.glob("*.parquet")) == shards
    for name in shards:
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_a_limit_beyond_the_data_is_a_note(tiny_model: Path, prompts: Path, tmp_path: Path) -> None:
    config = rollout_config(folder=tmp_path / "runs", model=tiny_model, prompts=prompts,
        changes={"task.prompts.limit": 5000, "rollout.attemptsPerPrompt": 1},
    )  # fmt: skip
    run = run_stage(config, tmp_path / "scratch")
    assert run.exit_code == 0
    assert run.result.note == "spec.task.prompts.limit is 5000, train.jsonl has 81 rows: all are used"
    assert run.result.metrics["prompts"] == 72


def test_the_engine_has_room_for_the_training_s_answers_whatever_is_held_out(
    tiny_model: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A longer held-out question must not change what is sampled for the training."""
    rooms = []

    def open_engine_recorded(*arguments: Any, **more: Any) -> Any:
        rooms.append(more["max_model_len"])
        return open_engine(*arguments, **more)

    monkeypatch.setattr("reflection_trainer.rollout.stage.open_engine", open_engine_recorded)
    row = countdown_rows(1)[0]
    for name, prompt in (("short", row["prompt"]), ("long", row["prompt"] + " think" * 12)):
        held_out = write_prompts(tmp_path / f"{name}.jsonl", [row | {"prompt": prompt}])
        config = rollout_config(
            folder=tmp_path / name, model=tiny_model, prompts=prompts,
            changes={"evaluation.prompts": {"uri": held_out.as_uri()}, "rollout.attemptsPerPrompt": 1},
        )  # fmt: skip
        assert run_stage_here(config, tmp_path / "scratch", monkeypatch).exit_code == 0
    short, long = rooms
    assert short == long


def test_with_prompts_of_its_own_evaluation_takes_none_away(
    tiny_model: Path, prompts: Path, tmp_path: Path
) -> None:
    config = rollout_config(folder=tmp_path / "runs", model=tiny_model, prompts=prompts,
        changes={"evaluation.prompts": {"uri": prompts.as_uri()}, "rollout.attemptsPerPrompt": 1},
    )  # fmt: skip
    assert run_stage(config, tmp_path / "scratch").result.metrics["prompts"] == 81
