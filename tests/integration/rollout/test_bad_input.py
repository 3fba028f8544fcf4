"""Bad input to the rollout stage: one sentence that names field, value and remedy, the right exit code, nothing left behind.

What each file may hold is tested where it is read (tests/unit/prompts, tests/unit/engines); this is what a user sees of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from reflection_trainer.storage import Artifacts

from ...support.stage_runs import StageRun, check_full_is_told, mounting, run_stage, run_stage_here, stored
from .bad_held_out import HELD_OUT_CASES, HELD_OUT_REMEDIES
from .bad_inputs import CASES, REMEDIES, ROWS, write_lines
from .configuration import rollout_config

ALL_CASES = [*CASES, *HELD_OUT_CASES]


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    """Where a copy of the model and the prompts can be broken."""
    shutil.copytree(tiny_model, tmp_path / "model")
    write_lines(tmp_path / "train.jsonl", [json.dumps(row) for row in ROWS])
    return tmp_path


def config(folder: Path, changes: dict[str, Any]):
    return rollout_config(
        folder=folder / "runs",
        model=folder / "model",
        prompts=folder / "train.jsonl",
        changes={"rollout.attemptsPerPrompt": 1} | changes,
    )


@pytest.mark.parametrize(
    ("case", "exit_code", "reason", "words"),
    ALL_CASES,
    ids=[case[0].__name__ for case in ALL_CASES],
)
def test_a_sentence_and_nothing_else(folder, monkeypatch, capfd, case, exit_code, reason, words):
    names = {"folder": "", "model": "model", "prompts": "train.jsonl"}
    uris = {name: (folder / place).as_uri() for name, place in names.items()}
    changes = case(folder / "model", folder / "train.jsonl")
    run = run_stage_here(config(folder, changes), folder / "scratch", monkeypatch)
    assert words.format(**uris) in run.result.message
    assert run.result.message.endswith((REMEDIES | HELD_OUT_REMEDIES)[case])
    assert (run.exit_code, run.result.outcome, run.result.reason) == (exit_code, "Failed", reason)
    assert "\n" not in run.result.message
    assert "Traceback" not in capfd.readouterr().err
    assert stored(folder / "runs") == set()


def test_what_is_not_broken_runs(folder, monkeypatch):
    """Else every case above could fail for another reason."""
    assert run_stage_here(config(folder, {}), folder / "scratch", monkeypatch).exit_code == 0


def run_denied(folder: Path, place: Path, mode: int) -> Any:
    """A run while nobody may do more with a place than this mode says; it ends with a word on that, and no traceback."""
    # Not even root may, once it has laid down its right to pass over permissions.
    powerless = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    place.chmod(mode)
    run = run_stage(config(folder, {}), folder / "scratch", wrapper=powerless)
    place.chmod(0o755)
    assert "Traceback" not in run.stderr
    return run


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "."])
def test_a_model_that_nobody_may_read(folder, name):
    place = folder / "model" / name
    run = run_denied(folder, place, 0)
    assert run.result.message == (
        f"spec.model.uri: {(folder / 'model').as_uri()}: {place} cannot be read: Permission denied; correct its permissions, "
        "or copy the model again"
    )
    assert (run.exit_code, run.result.reason) == (78, "InvalidModel")
    assert stored(folder / "runs") == set()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel refuses to let this process make a file larger than this, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_storage_that_is_full(folder, monkeypatch, capfd):
    put_file = Artifacts.put_file

    def put_file_on_a_full_disk(*arguments: Any, **more: Any) -> Any:
        with files_of_at_most(1500):
            return put_file(*arguments, **more)

    monkeypatch.setattr(Artifacts, "put_file", put_file_on_a_full_disk)
    run = run_stage_here(config(folder, {}), folder / "scratch", monkeypatch)
    check_full(run, folder)
    assert run.result.message.startswith(f"storage: cannot write {(folder / 'runs').as_uri()}/default/tiny-")
    assert run.result.message.endswith(
        ": File too large; free space there, or start a run with a larger spec.storage.uri"
    )
    assert "Traceback" not in capfd.readouterr().err


def test_a_storage_on_a_disk_that_is_full(folder):
    """The kernel's own word for it. The shard itself still fits."""
    (folder / "runs").mkdir()
    made = config(folder, {"rollout.attemptsPerPrompt": 16})
    left = check_full_is_told(made, folder / "runs", folder / "scratch", room=8)
    assert {Path(path).name for path in left} <= {"attempts-00000-of-00002.parquet"}


def test_a_storage_that_is_mounted_read_only(folder):
    runs = folder / "runs"
    runs.mkdir()
    wrapper = mounting('mount -t tmpfs -o ro none "$0" && "$@"', runs)
    run = run_stage(config(folder, {}), folder / "scratch", wrapper=wrapper)
    assert (run.exit_code, run.result.reason) == (78, "StorageDenied"), run.stderr
    assert run.result.message.startswith(f"storage: cannot write {runs.as_uri()}/default/tiny-")
    assert run.result.message.endswith(
        ": Read-only file system; spec.storage.uri must be a folder that this user can write"
    )
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("left", [True, False], ids=["what an earlier pod left", "nothing is there"])
def test_a_scratch_folder_that_only_others_may_change(folder, left):
    """A volume of the user's, as another user has left it."""
    work = folder / "scratch" / "work"
    earlier = work / "tiny-0123456789abcdef-r1-rollout-1-0"
    (earlier if left else work).mkdir(parents=True)
    run = run_denied(folder, work, 0o555)
    assert run.result.message == (
        f"REFLECT_WORKDIR={work}: {earlier}: Permission denied; let the stage's user write there, or remove what earlier pods "
        "of this run have left"
    )
    assert (run.exit_code, run.result.reason) == (78, "InvalidSpec")


def test_a_scratch_folder_that_is_full(folder):
    """The shard is the first file that is larger than the shell's limit of one block."""
    wrapper = ("bash", "-c", 'ulimit -f 2; exec "$@"', "limited")
    run = run_stage(config(folder, {"rollout.attemptsPerPrompt": 16}), folder / "scratch", wrapper=wrapper)
    check_full(run, folder)
    assert "free space below $REFLECT_WORKDIR, or raise ephemeral-storage in spec.pods" in run.result.message
    assert "Traceback" not in run.stderr


def check_full(run: StageRun, folder: Path) -> None:
    assert (run.exit_code, run.result.reason) == (75, "StorageFull")
    assert stored(folder / "runs") == set()
