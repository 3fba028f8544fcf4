"""A model's folder is looked through before anything heavy starts: what is accepted, and how what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.engines.model import ModelFolder, inspect_model
from reflection_trainer.errors import BadConfig
from safetensors.torch import load_file, save_file

from ...support.custom_model import save_custom_model
from ...support.tiny_model import save_tiny_model

URI = "file:///tiny"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PLACE = "copy the model again, config.json and weights from the same place"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model")


def refusal(folder: Path) -> str:
    with pytest.raises(BadConfig) as caught:
        inspect_model(folder, uri=URI)
    assert (caught.value.reason, caught.value.exit_code) == (Reason.INVALID_MODEL, 78)
    assert "\n" not in caught.value.message
    return caught.value.message


def change_json(file: Path, **values: Any) -> None:
    """Set values; those that are None are left out."""
    changed = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in changed.items() if value is not None}))


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, metadata={"format": "pt"})


def shard(folder: Path) -> dict[str, str]:
    """Spread the weights over two files; returns which tensor is in which."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    places = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(tensors)}
    for file in set(places.values()):
        held = {name: tensors[name] for name, place in places.items() if place == file}
        save_file(held, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def test_a_whole_model(model):
    found = inspect_model(model, uri=URI)
    assert isinstance(found, ModelFolder)
    assert (found.path, found.uri, found.context_length, found.attention_heads) == (model, URI, 64, 2)
    assert found.cache_bytes_per_token == 2 * 4 * 2 * 32
    assert found.tokenizer.padding_side == "left"


def test_weights_in_several_files(model):
    shard(model)
    assert inspect_model(model, uri=URI).context_length == 64


def test_an_output_layer_that_is_the_embedding_is_not_missing(model):
    change_json(model / "config.json", tie_word_embeddings=True)
    change_weights(model, lambda tensors: {k: v for k, v in tensors.items() if k != "lm_head.weight"})
    assert inspect_model(model, uri=URI)


def test_tensors_that_nobody_asks_for_do_no_harm(model):
    """Many published models have some: heads for other uses, frequencies of rotations."""
    change_weights(
        model, lambda tensors: tensors | {"value_head.weight": tensors["model.norm.weight"].clone()}
    )
    assert inspect_model(model, uri=URI)


def test_no_weights(model):
    (model / WEIGHTS).rename(model / "pytorch_model.bin")
    assert refusal(model) == (
        f"spec.model.uri: {URI} has no weights: there is no *.safetensors file; convert it to safetensors"
    )


@pytest.mark.parametrize("size", [0, 5, 2_000])
def test_weights_cut_off(model, size):
    (model / WEIGHTS).write_bytes((model / WEIGHTS).read_bytes()[:size])
    assert refusal(model).startswith(f"spec.model.uri: {URI} is damaged: {WEIGHTS}: ")
    assert refusal(model).endswith("; copy the model again")


def test_a_file_of_weights_is_missing(model):
    second = "model-00002-of-00002.safetensors"
    shard(model)
    (model / second).unlink()
    assert refusal(model) == (
        f"spec.model.uri: {URI} is incomplete: {INDEX} names {second}, which is missing; copy the model again"
    )


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"weight_map": 1}', '{"weight_map": {"a": 1}}', '"\\ud800"']
)
def test_a_damaged_index(model, text):
    (model / INDEX).write_text(text)
    assert refusal(model).startswith(f"spec.model.uri: {URI} is damaged: {INDEX}: ")


def test_weights_of_another_width(model):
    change_json(model / "config.json", hidden_size=64, head_dim=32)
    assert refusal(model) == (
        f"spec.model.uri: {URI} does not fit its config.json: lm_head.weight is 118 x 32 in the weights and 118 x 64 "
        f"by config.json and 20 more; {PLACE}"
    )


def test_weights_of_another_vocabulary(model):
    change_json(model / "config.json", vocab_size=500)
    assert "lm_head.weight is 118 x 32 in the weights and 500 x 32 by config.json and 1 more" in refusal(
        model
    )


def test_weights_that_lack_tensors(model):
    """Neither engine stops at them: they would be random numbers."""
    change_weights(model, lambda tensors: {k: v for k, v in tensors.items() if "layers.1.mlp" not in k})
    lacking = ", ".join(f"model.layers.1.mlp.{part}_proj.weight" for part in ("down", "gate", "up"))
    assert (
        refusal(model)
        == f"spec.model.uri: {URI} does not fit its config.json: its weights lack {lacking}; {PLACE}"
    )


def test_a_configuration_of_more_layers(model):
    change_json(model / "config.json", num_hidden_layers=3)
    assert " and 6 more; copy the model again" in refusal(model)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "nosuch"}'])
def test_a_configuration_that_is_none(model, text):
    (model / "config.json").write_text(text)
    assert refusal(model).startswith(f"spec.model.uri: {URI} cannot be used: config.json: ")


def test_a_model_that_writes_no_text(model):
    change_json(model / "config.json", model_type="vit", architectures=["ViTModel"])
    assert refusal(model).startswith(f"spec.model.uri: {URI} cannot be used: ")


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_a_tokenizer_that_is_none(model, text):
    (model / "tokenizer.json").write_text(text)
    assert refusal(model).startswith(f"spec.model.uri: {URI} cannot be used: its tokenizer does not load: ")


def test_a_tokenizer_without_a_chat_template(tmp_path):
    folder = save_tiny_model(tmp_path / "model", chat_template=None)
    assert refusal(folder) == (
        f"spec.model.uri: {URI} has no chat template: set a tokenizer with a chat template or use an instruct model"
    )


def test_a_tokenizer_without_an_end(model):
    change_json(model / "tokenizer_config.json", eos_token=None)
    assert refusal(model) == (
        f"spec.model.uri: {URI} has a tokenizer without an end token, so that no answer would ever end: set eos_token"
    )


def test_code_of_a_model_runs_only_where_it_is_trusted(tmp_path):
    folder = save_custom_model(tmp_path / "model")
    ran = tmp_path / "ran"
    assert refusal(folder) == (
        f"spec.model.uri: {URI} cannot be used: config.json: it needs Python code that comes with it; "
        "set spec.model.trustRemoteCode: true if you trust that code, or use another model"
    )
    assert not ran.exists()
    assert inspect_model(folder, uri=URI, trust_remote_code=True).trust_remote_code
    assert ran.exists()
