"""Bad input to the rollout stage: one sentence that names field, value and remedy, the right exit code, nothing left behind.

What each file may hold is tested where it is read (tests/unit/prompts, tests/unit/engines); this is what a user sees of it.
"""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reflection_trainer.storage import Artifacts
from safetensors.torch import load_file, save_file

from ...support.stage_runs import StageRun, countdown_rows, run_stage, run_stage_here, stage_config, stored
from ...support.tiny_model import save_tiny_model

ROWS = countdown_rows(20)

Case = Callable[[Path, Path], dict[str, Any]]
"""Breaks something in a model's folder and a prompts file; returns changes to the configuration."""


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    """Where a copy of the model and the prompts can be broken."""
    shutil.copytree(tiny_model, tmp_path / "model")
    write_lines(tmp_path / "train.jsonl", [json.dumps(row) for row in ROWS])
    return tmp_path


def config(folder: Path, changes: dict[str, Any]):
    return stage_config(
        "rollout",
        folder=folder / "runs",
        model=folder / "model",
        prompts=folder / "train.jsonl",
        changes={"rollout.attemptsPerPrompt": 1} | changes,
    )


def write_lines(file: Path, lines: list[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


def change_json(file: Path, **values: Any) -> None:
    changed = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in changed.items() if value is not None}))


def no_model(model: Path, prompts: Path) -> dict[str, Any]:
    shutil.rmtree(model)
    return {}


def damaged_weights(model: Path, prompts: Path) -> dict[str, Any]:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    return {}


def no_weights(model: Path, prompts: Path) -> dict[str, Any]:
    (model / "model.safetensors").unlink()
    return {}


def other_weights(model: Path, prompts: Path) -> dict[str, Any]:
    change_json(model / "config.json", hidden_size=64)
    return {}


def weights_that_lack_a_layer(model: Path, prompts: Path) -> dict[str, Any]:
    file = model / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(file).items() if "layers.1." not in name}
    save_file(kept, file, metadata={"format": "pt"})
    return {}


def no_chat_template(model: Path, prompts: Path) -> dict[str, Any]:
    save_tiny_model(model, chat_template=None)
    (model / "chat_template.jinja").unlink()
    return {}


def no_end_token(model: Path, prompts: Path) -> dict[str, Any]:
    change_json(model / "tokenizer_config.json", eos_token=None)
    return {}


def a_chat_template_that_refuses(model: Path, prompts: Path) -> dict[str, Any]:
    (model / "chat_template.jinja").write_text("{{ raise_exception('only users, please') }}")
    return {}


def no_prompts(model: Path, prompts: Path) -> dict[str, Any]:
    prompts.unlink()
    return {}


def empty_prompts(model: Path, prompts: Path) -> dict[str, Any]:
    prompts.write_text("\n\n")
    return {}


def one_prompt(model: Path, prompts: Path) -> dict[str, Any]:
    write_lines(prompts, [json.dumps(ROWS[0])])
    return {}


def a_line_that_is_no_json(model: Path, prompts: Path) -> dict[str, Any]:
    write_lines(prompts, [json.dumps(ROWS[0]), "{'prompt': 'x'}"])
    return {}


def prompts_in_another_encoding(model: Path, prompts: Path) -> dict[str, Any]:
    line = json.dumps(ROWS[0]).encode()
    prompts.write_bytes(line + b"\n" + line.replace(b"make", b"m\xe4ke") + b"\n")
    return {}


def no_column_of_the_verifier(model: Path, prompts: Path) -> dict[str, Any]:
    rows = [dict(row) for row in ROWS]
    rows[6].pop("target")
    write_lines(prompts, [json.dumps(row) for row in rows])
    return {}


def parquet(model: Path, prompts: Path, **columns: Any) -> dict[str, Any]:
    file = prompts.with_suffix(".parquet")
    table = {name: [row[name] for row in ROWS] for name in ROWS[0]} | columns
    pq.write_table(pa.table(table), file)
    return {"task.prompts": {"uri": file.as_uri()}}


def parquet_of_a_wrong_type(model: Path, prompts: Path) -> dict[str, Any]:
    return parquet(model, prompts, nums=pa.array([b"bytes"] * len(ROWS)))


def parquet_of_other_numbers(model: Path, prompts: Path) -> dict[str, Any]:
    return parquet(model, prompts, target=pa.array(["text"] * len(ROWS)))


def json_named_parquet(model: Path, prompts: Path) -> dict[str, Any]:
    file = prompts.rename(prompts.with_suffix(".parquet"))
    return {"task.prompts": {"uri": file.as_uri()}}


def a_prompt_that_is_too_long(model: Path, prompts: Path) -> dict[str, Any]:
    rows = [*ROWS, ROWS[0] | {"prompt": "think " * 60}]
    write_lines(prompts, [json.dumps(row) for row in rows])
    return {"evaluation.prompts": {"uri": prompts.as_uri()}}


def an_unknown_variable(model: Path, prompts: Path) -> dict[str, Any]:
    return {"task.templates.retry": "again {{ qestion }}"}


def a_template_that_fails_on_a_later_row(model: Path, prompts: Path) -> dict[str, Any]:
    rows = [dict(row) | {"hint": "x"} for row in ROWS]
    rows[11].pop("hint")
    write_lines(prompts, [json.dumps(row) for row in rows])
    return {"task.templates.reflection": "{{ row.hint }}", "evaluation.prompts": {"uri": prompts.as_uri()}}


def storage_that_is_a_file(model: Path, prompts: Path) -> dict[str, Any]:
    (prompts.parent / "file").touch()
    return {"storage.uri": (prompts.parent / "file").as_uri()}


def storage_where_nobody_may_write(model: Path, prompts: Path) -> dict[str, Any]:
    """Not even root."""
    return {"storage.uri": "file:///sys/runs"}


def storage_where_no_folder_can_be(model: Path, prompts: Path) -> dict[str, Any]:
    return {"storage.uri": "file:///proc/runs"}


CASES: list[tuple[Case, int, str, str]] = [
    (no_model, 78, "InvalidModel", "spec.model.uri: {model}: there is no folder"),
    (damaged_weights, 78, "InvalidModel", "model {model} is damaged: model.safetensors: "),
    (no_weights, 78, "InvalidModel", "model {model} has no weights: there is no *.safetensors file"),
    (
        other_weights,
        78,
        "InvalidModel",
        "model {model} does not fit its config.json: lm_head.weight is 118 x 32",
    ),
    (
        weights_that_lack_a_layer,
        78,
        "InvalidModel",
        "model {model} does not fit its config.json: its weights lack",
    ),
    (no_chat_template, 78, "InvalidModel", "model {model} has no chat template: set a tokenizer with"),
    (no_end_token, 78, "InvalidModel", "model {model} has a tokenizer without an end token"),
    (
        a_chat_template_that_refuses,
        78,
        "InvalidModel",
        "chat template refuses the conversation: only users, please",
    ),
    (no_prompts, 78, "InvalidPrompts", "spec.task.prompts.uri: {prompts}: cannot be read: No such file"),
    (empty_prompts, 65, "DatasetEmpty", "train.jsonl: the file has no rows; give at least one question"),
    (one_prompt, 65, "DatasetEmpty", "train.jsonl: there is only one question, and a tenth is held out"),
    (a_line_that_is_no_json, 65, "InvalidPrompts", "train.jsonl:2: the line is not JSON: "),
    (
        prompts_in_another_encoding,
        65,
        "InvalidPrompts",
        "train.jsonl:2: byte 14 of the line (0xe4) is not UTF-8; save",
    ),
    (
        no_column_of_the_verifier,
        65,
        "InvalidPrompts",
        'train.jsonl:7: row has no "target", which the countdown verifier',
    ),
    (parquet_of_a_wrong_type, 65, "InvalidPrompts", 'train.parquet: row 1: column "nums" has the type bytes'),
    (
        parquet_of_other_numbers,
        65,
        "InvalidPrompts",
        'train.parquet: row 1: target is a string: "text"; write integers',
    ),
    (json_named_parquet, 65, "InvalidPrompts", "train.parquet: cannot be read as Parquet: "),
    (
        a_prompt_that_is_too_long,
        65,
        "InvalidPrompts",
        "train.jsonl:21: the question has 65 tokens; with spec.rollout",
    ),
    (an_unknown_variable, 78, "InvalidTemplate", "spec.task.templates.retry: "),
    (a_template_that_fails_on_a_later_row, 78, "InvalidTemplate", "(rendered for train.jsonl:12)"),
    (
        storage_that_is_a_file,
        78,
        "StorageDenied",
        "spec.storage.uri must be a folder that this user can write",
    ),
    (
        storage_where_nobody_may_write,
        78,
        "StorageDenied",
        "; spec.storage.uri must be a folder that this user can write",
    ),
    (
        storage_where_no_folder_can_be,
        78,
        "StorageDenied",
        "spec.storage.uri must be a folder that this user can write",
    ),
]


@pytest.mark.parametrize(
    ("case", "exit_code", "reason", "words"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_a_sentence_and_nothing_else(folder, monkeypatch, capfd, case, exit_code, reason, words):
    uris = {"model": (folder / "model").as_uri(), "prompts": (folder / "train.jsonl").as_uri()}
    changes = case(folder / "model", folder / "train.jsonl")
    run = run_stage_here(config(folder, changes), folder / "scratch", monkeypatch)
    assert words.format(**uris) in run.result.message
    assert (run.exit_code, run.result.outcome, run.result.reason) == (exit_code, "Failed", reason)
    assert "\n" not in run.result.message
    assert "Traceback" not in capfd.readouterr().err
    assert stored(folder / "runs") == set()


def test_what_is_not_broken_runs(folder, monkeypatch):
    """Else every case above could fail for another reason."""
    assert run_stage_here(config(folder, {}), folder / "scratch", monkeypatch).exit_code == 0


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
