"""The verify stage on its own: what it counts and keeps, how it goes on, what it refuses."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from reflection_api.manifests import Manifest
from reflection_api.stages import Stage
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.storage.store import PARTIAL
from reflection_trainer.verify.dataset import load_failures

from ...support.stage_runs import (
    StageRun,
    check_full_is_told,
    check_read_only_is_told,
    run_stage,
    run_stage_here,
    start_stage,
    stored,
)
from .answers import EMPTY, RIGHT, WRONG, stage_folder, store_answers, verify_config

FOUR = [RIGHT, WRONG, WRONG, EMPTY]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run(**changes: Any) -> StageRun:
        return run_stage_here(verify_config(tmp_path, **changes), tmp_path / "scratch", monkeypatch)

    return run


def inodes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_ino for file in folder.iterdir()}


def failures(folder: Path) -> list[dict[str, Any]]:
    artifacts = Artifacts(open_store(verify_config(folder).run_uri))
    return list(load_failures(artifacts, "round-1/verify", folder / "read"))


def test_two_shards_of_answers_become_two_of_failures(verify, tmp_path):
    store_answers(tmp_path, [FOUR, [RIGHT] * 3 + [WRONG]])
    run = verify()
    assert (run.exit_code, run.result.outcome, run.result.reason) == (0, "Succeeded", "Completed")
    assert run.result.message == "8 answers: 4 right, 4 failures"
    assert run.result.note == ""
    assert run.result.metrics == {
        "attempts": 8, "correct": 4, "failures": 4, "duplicates": 0, "reason.missed_target": 3, "reason.no_equation": 1,
    }  # fmt: skip
    made = [json.loads(file.read_text()) for file in stage_folder(tmp_path).glob("*.parquet.manifest.json")]
    assert len(made) == 2
    assert all(0 < manifest["metrics"]["seconds"] < 60 for manifest in made), "for the report's costs"
    found = failures(tmp_path)
    assert [(row["id"], row["completion"], row["reason"]) for row in found] == [
        ("00000000-00000000-01", WRONG, "missed_target"),
        ("00000000-00000000-02", WRONG, "missed_target"),
        ("00000000-00000000-03", EMPTY, "no_equation"),
        ("00000001-00000000-03", WRONG, "missed_target"),
    ]
    assert found[0]["row"] == {"nums": [3, 4], "target": 7}
    [artifact] = run.result.artifacts
    assert (artifact.uri, artifact.rows) == (stage_folder(tmp_path).as_uri(), 4)
    progress = json.loads((tmp_path / "scratch" / "progress.json").read_text())
    assert (progress["done"], progress["total"]) == (8, 8)


def test_what_a_killed_attempt_left_half_written_goes(verify, tmp_path):
    store_answers(tmp_path, [FOUR])
    left = stage_folder(tmp_path) / f"{PARTIAL}0123"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    assert verify().exit_code == 0
    assert not left.exists()


def test_a_storage_that_is_read_only(tmp_path):
    store_answers(tmp_path, [FOUR])
    check_read_only_is_told(verify_config(tmp_path), tmp_path / "runs", tmp_path / "scratch")


@pytest.mark.parametrize(("sample", "half"), [(200, "audit.json"), (0, "failures-00000-of-00001.parquet")])
def test_a_storage_that_is_full(tmp_path, sample, half):
    store_answers(tmp_path, [FOUR])
    config = verify_config(tmp_path, **{"task.verifier.audit.sample": sample})
    left = check_full_is_told(config, tmp_path / "runs", tmp_path / "scratch", room=4)
    assert {Path(path).name for path in left} == {half}


def test_so_is_it_when_the_report_is_to_be_written(verify, tmp_path):
    store_answers(tmp_path, [FOUR])
    verify()
    config = verify_config(tmp_path).model_copy(update={"stage": Stage.REPORT})
    check_read_only_is_told(config, tmp_path / "runs", tmp_path / "scratch")


def test_the_dataset_has_the_answers_origin(verify, tmp_path):
    store_answers(tmp_path, [FOUR])
    verify()
    [answers] = stage_folder(tmp_path, "rollout").glob("*.manifest.json")
    dataset = stage_folder(tmp_path) / "manifest.json"
    manifests = [Manifest.model_validate_json(file.read_text()) for file in (answers, dataset)]
    assert manifests[0].provenance == manifests[1].provenance


def test_equal_failures_are_kept_once_where_that_is_asked_for(verify, tmp_path):
    store_answers(tmp_path, [[WRONG] * 8], **{"task.failures.deduplicate": True})
    run = verify(**{"task.failures.deduplicate": True})
    assert run.result.message == "8 answers: 0 right, 2 failures"
    assert run.result.note.startswith(
        "6 duplicates left out (spec.task.failures.deduplicate); no answer is right: "
    )
    assert len(failures(tmp_path)) == 2


def test_where_everything_is_right_there_are_no_failures(verify, tmp_path):
    store_answers(tmp_path, [[RIGHT] * 4, [RIGHT] * 4])
    run = verify()
    assert (run.exit_code, run.result.outcome, run.result.reason) == (0, "Succeeded", "NoFailures")
    assert run.result.message == (
        "all 8 answers are right: there is nothing to learn from; use harder prompts"
    )
    assert failures(tmp_path) == []


def test_where_everything_is_wrong_all_of_it_is_kept(verify, tmp_path):
    store_answers(tmp_path, [[WRONG] * 4])
    run = verify()
    assert (run.exit_code, run.result.reason) == (0, "Completed")
    assert run.result.metrics["failures"] == run.result.metrics["attempts"] == 4
    assert run.result.note == (
        "no answer is right: see in the report why, and whether spec.task.verifier fits the form in which the model answers"
    )


def test_what_is_judged_is_not_judged_again(verify, tmp_path):
    store_answers(tmp_path, [FOUR, FOUR])
    first = verify()
    folder = stage_folder(tmp_path)
    made = inodes(folder)
    del made["manifest.json"]  # written again, with the same content
    again = verify()
    assert again.result == first.result
    assert {name: inode for name, inode in inodes(folder).items() if name in made} == made


@pytest.mark.slow
def test_killed_between_shards_it_goes_on(tmp_path):
    """The same answers judged at one go are what the pieces must come to."""
    shards: Sequence[Sequence[str]] = [FOUR * 500] * 40
    for name in ("whole", "killed"):
        store_answers(tmp_path / name, shards)
    whole = run_stage(verify_config(tmp_path / "whole"), tmp_path / "a")
    assert whole.exit_code == 0, whole.stderr
    folder = stage_folder(tmp_path / "killed")
    kept: dict[str, int] = {}
    for turn in range(3):
        process = start_stage(verify_config(tmp_path / "killed"), tmp_path / f"b{turn}")
        deadline = time.monotonic() + 120
        while len(list(folder.glob("*.manifest.json"))) <= len(kept) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = inodes(folder)
        assert kept.items() <= now.items(), "a finished shard was judged again"
        kept = {name: inode for name, inode in now.items() if name.endswith(".manifest.json")}
    assert 0 < len(kept) < 40, "the kills came too late to show anything"
    assert not (folder / "manifest.json").exists()
    last = run_stage(verify_config(tmp_path / "killed"), tmp_path / "c")
    assert last.result.metrics == whole.result.metrics
    assert kept.items() <= inodes(folder).items()
    names = sorted(file.name for file in stage_folder(tmp_path / "whole").glob("*.parquet"))
    assert sorted(file.name for file in folder.glob("*.parquet")) == names
    for name in names:
        assert (folder / name).read_bytes() == (stage_folder(tmp_path / "whole") / name).read_bytes()
    assert len(failures(tmp_path / "killed")) == 40 * 1500


def test_a_shard_that_is_missing(verify, tmp_path):
    store_answers(tmp_path, [FOUR, FOUR], count=3)
    before = stored(tmp_path / "runs")
    run = verify()
    assert (run.exit_code, run.result.reason) == (65, "ArtifactCorrupt")
    assert run.result.message == (
        f"storage: {stage_folder(tmp_path, 'rollout').as_uri()}: attempts-00002-of-00003.parquet and its manifest are "
        "missing; run the rollout stage again"
    )
    assert stored(tmp_path / "runs") == before


def test_no_answers_at_all(verify, tmp_path):
    run = verify()
    assert (run.exit_code, run.result.reason) == (65, "ArtifactCorrupt")
    assert "there are no answers; run the rollout stage again" in run.result.message


def test_the_beginnings_of_another_set_are_not_looked_at(verify, tmp_path):
    """A rollout whose number of workers was changed leaves them."""
    store_answers(tmp_path, [[WRONG] * 4], count=5)
    store_answers(tmp_path, [FOUR, FOUR])
    assert verify().result.metrics["attempts"] == 8


def test_answers_that_are_not_those_of_their_manifest(verify, tmp_path):
    store_answers(tmp_path, [FOUR])
    [shard] = stage_folder(tmp_path, "rollout").glob("*.parquet")
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    run = verify()
    assert (run.exit_code, run.result.reason) == (65, "ArtifactCorrupt")
    assert "attempts-00000-of-00001.parquet does not match its manifest" in run.result.message
    assert not stage_folder(tmp_path).exists()


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"rollout.sampling.temperature": 0.5}, "sampling.temperature: 1.0, not 0.5"),
        ({"task.verifier": {"builtin": {"name": "exact"}}}, "verifier.name: 'countdown', not 'exact'"),
        ({"task.failures.deduplicate": True}, "verifier.deduplicate: False, not True"),
        ({"task.templates.retry": "again"}, "templates.retry: "),
    ],
)
def test_answers_of_other_settings(verify, tmp_path, changes, difference):
    store_answers(tmp_path, [FOUR])
    run = verify(**changes)
    assert (run.exit_code, run.result.reason) == (78, "DatasetMismatch")
    assert f"attempts-00000-of-00001.parquet was made with other settings: {difference}" in run.result.message
    assert not stage_folder(tmp_path).exists()


@pytest.fixture
def moved(tmp_path):
    """Answers to questions of a file, and where that file has been copied since."""
    prompts, copy = tmp_path / "train.jsonl", tmp_path / "copy.jsonl"
    prompts.write_text("questions\n")
    shutil.copy(prompts, copy)
    store_answers(tmp_path, [FOUR, FOUR], prompts=prompts)
    prompts.unlink()
    return prompts, copy


def test_the_prompts_file_is_not_looked_at_where_it_was_read(verify, moved):
    prompts, _ = moved
    assert verify(**{"task.prompts.uri": prompts.as_uri()}).exit_code == 0


def test_answers_to_the_same_prompts_file_elsewhere(verify, moved):
    _, copy = moved
    assert verify(**{"task.prompts.uri": copy.as_uri()}).exit_code == 0


def test_answers_to_another_prompts_file(verify, tmp_path, moved):
    prompts, copy = moved
    copy.write_text("other questions\n")
    run = verify(**{"task.prompts.uri": copy.as_uri()})
    assert (run.exit_code, run.result.reason) == (78, "DatasetMismatch")
    assert "was made with other settings: prompts.sha256: '" in run.result.message
    assert f"prompts.uri: {prompts.as_uri()!r:.40}" in run.result.message
    assert not stage_folder(tmp_path).exists()


def test_a_prompts_file_that_is_neither_where_it_was_nor_where_it_should_be(verify, moved):
    _, copy = moved
    copy.unlink()
    run = verify(**{"task.prompts.uri": copy.as_uri()})
    assert (run.exit_code, run.result.reason) == (78, "InvalidPrompts")
    assert run.result.message.startswith(f"spec.task.prompts.uri: {copy.as_uri()}: cannot be read: ")


def test_failures_of_other_settings_are_not_mixed_with_new_ones(verify, tmp_path):
    """The answers were made anew below the failures of the old ones."""
    store_answers(tmp_path, [FOUR])
    verify()
    before = inodes(stage_folder(tmp_path))
    store_answers(tmp_path, [FOUR], **{"rollout.sampling.seed": 7})
    run = verify(**{"rollout.sampling.seed": 7})
    assert (run.exit_code, run.result.reason) == (78, "DatasetMismatch")
    assert (
        "failures-00000-of-00001.parquet was made with other settings: sampling.seed: 0, not 7"
        in run.result.message
    )
    assert inodes(stage_folder(tmp_path)) == before


def test_a_row_that_cannot_be_judged(verify, tmp_path):
    """Answers from storage are input like any other."""
    store_answers(tmp_path, [FOUR])
    [shard] = stage_folder(tmp_path, "rollout").glob("*.parquet")
    table = pq.read_table(shard)
    rows = table.to_pylist()
    rows[2]["row"] = "{}"
    artifacts = Artifacts(open_store(verify_config(tmp_path).run_uri))
    path = f"round-1/rollout/{shard.name}"
    provenance = artifacts.manifest_of_file(path).provenance
    pq.write_table(table.from_pylist(rows, schema=table.schema), tmp_path / "changed.parquet")
    artifacts.put_file(tmp_path / "changed.parquet", path, kind="attempts", rows=4, provenance=provenance)
    run = verify()
    assert (run.exit_code, run.result.reason) == (65, "InvalidPrompts")
    assert "cannot be judged: " in run.result.message
    assert not stage_folder(tmp_path).exists()
