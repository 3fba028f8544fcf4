"""What can be wrong with a model, a prompts file, a template or a storage, and what is said to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load_file, save_file

from ...support.stage_runs import countdown_rows
from ...support.tiny_model import save_tiny_model

ROWS = countdown_rows(20)

Case = Callable[[Path, Path], dict[str, Any]]
"""Breaks something in a model's folder and a prompts file; returns changes to the configuration."""


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
    (damaged_weights, 78, "InvalidModel", "spec.model.uri: {model} is damaged: model.safetensors: "),
    (
        no_weights,
        78,
        "InvalidModel",
        "spec.model.uri: {model} has no weights: there is no *.safetensors file",
    ),
    (
        other_weights,
        78,
        "InvalidModel",
        "spec.model.uri: {model} does not fit its config.json: lm_head.weight is 118 x 32",
    ),
    (
        weights_that_lack_a_layer,
        78,
        "InvalidModel",
        "spec.model.uri: {model} does not fit its config.json: its weights lack",
    ),
    (
        no_chat_template,
        78,
        "InvalidModel",
        "spec.model.uri: {model} has no chat template: set a tokenizer with",
    ),
    (no_end_token, 78, "InvalidModel", "spec.model.uri: {model} has a tokenizer without an end token"),
    (
        a_chat_template_that_refuses,
        78,
        "InvalidModel",
        "chat template refuses the conversation: only users, please",
    ),
    (no_prompts, 78, "InvalidPrompts", "spec.task.prompts.uri: {prompts}: cannot be read: No such file"),
    (
        empty_prompts,
        65,
        "DatasetEmpty",
        "spec.task.prompts.uri: train.jsonl: the file has no rows; give at least one question",
    ),
    (
        one_prompt,
        65,
        "DatasetEmpty",
        "spec.task.prompts.uri: train.jsonl: there is only one question, and a tenth is held out",
    ),
    (
        a_line_that_is_no_json,
        65,
        "InvalidPrompts",
        "spec.task.prompts.uri: train.jsonl:2: the line is not JSON: ",
    ),
    (
        prompts_in_another_encoding,
        65,
        "InvalidPrompts",
        "spec.task.prompts.uri: train.jsonl:2: byte 14 of the line (0xe4) is not UTF-8; save",
    ),
    (
        no_column_of_the_verifier,
        65,
        "InvalidPrompts",
        'spec.task.prompts.uri: train.jsonl:7: row has no "target", which the countdown verifier',
    ),
    (
        parquet_of_a_wrong_type,
        65,
        "InvalidPrompts",
        'spec.task.prompts.uri: train.parquet: row 1: column "nums" has the type bytes',
    ),
    (
        parquet_of_other_numbers,
        65,
        "InvalidPrompts",
        'spec.task.prompts.uri: train.parquet: row 1: target is a string: "text"; write integers',
    ),
    (
        json_named_parquet,
        65,
        "InvalidPrompts",
        "spec.task.prompts.uri: train.parquet: cannot be read as Parquet: ",
    ),
    (
        a_prompt_that_is_too_long,
        65,
        "InvalidPrompts",
        "spec.task.prompts.uri: train.jsonl:21: the question has 65 tokens; with spec.rollout",
    ),
    (an_unknown_variable, 78, "InvalidTemplate", "spec.task.templates.retry: "),
    (
        a_template_that_fails_on_a_later_row,
        78,
        "InvalidTemplate",
        "(rendered for spec.task.prompts.uri: train.jsonl:12)",
    ),
    (
        storage_that_is_a_file,
        78,
        "StorageDenied",
        "storage: cannot write {folder}/file/",
    ),
    (
        storage_where_nobody_may_write,
        78,
        "StorageDenied",
        "storage: cannot write file:///sys/runs/",
    ),
    (
        storage_where_no_folder_can_be,
        78,
        "StorageDenied",
        "storage: cannot write file:///proc/runs/",
    ),
]


REMEDIES: dict[Case, str] = {
    no_model: "; correct the path",
    damaged_weights: "; copy the model again",
    no_weights: "; convert it to safetensors",
    other_weights: "; copy the model again, config.json and weights from the same place",
    weights_that_lack_a_layer: "; copy the model again, config.json and weights from the same place",
    no_chat_template: ": set a tokenizer with a chat template or use an instruct model",
    no_end_token: ": set eos_token",
    a_chat_template_that_refuses: "; change the roles of the messages, leave out the system template, or use another model",
    no_prompts: "; correct the path or its permissions",
    empty_prompts: "; give at least one question",
    one_prompt: "; give at least two different questions, or set spec.evaluation.prompts",
    a_line_that_is_no_json: "; write one JSON object per line",
    prompts_in_another_encoding: "; save the file as UTF-8",
    no_column_of_the_verifier: "; rename the column or map it in spec.task.columns",
    parquet_of_a_wrong_type: "; use strings, numbers, booleans, lists and structs",
    parquet_of_other_numbers: "; write integers, without quotes or points",
    json_named_parquet: "; write it again, or name it .jsonl if it holds JSON lines",
    a_prompt_that_is_too_long: "; shorten or drop the row, or lower maxTokens",
    an_unknown_variable: '"qestion"; did you mean question? (rendered for spec.task.prompts.uri: train.jsonl:1)',
    a_template_that_fails_on_a_later_row: "; correct the template (rendered for spec.task.prompts.uri: train.jsonl:12)",
    storage_that_is_a_file: "; spec.storage.uri must be a folder that this user can write",
    storage_where_nobody_may_write: "; spec.storage.uri must be a folder that this user can write",
    storage_where_no_folder_can_be: "; spec.storage.uri must be a folder that this user can write",
}
"""How each sentence ends."""
