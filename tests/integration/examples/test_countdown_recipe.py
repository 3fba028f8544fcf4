"""The recipe still makes the committed model: the same training, tokenizer and config, and a run repeats to the byte."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from pathlib import Path
from typing import Any

import make_model
import pytest
import questions
import torch
import transcripts
import vocabulary
import warm_start
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

MAX_WEIGHT_BYTES = 3_000_000
STEPS = 10
"""Of a whole training that is as short as this, with a schedule of its own."""
LOSS_TOLERANCE = 0.005
"""Processors round differently."""
RECIPE = "10688b65e2a9ebc8f3468d76b531f2b2ef802626f427d086bd3ce1f5c180bafe"
WEIGHTS = "1c57ba8c5d1c5451db0b36c517058da7a1efe2e9677025b0c14bd62cdf72c367"
"""SHA-256 of the recipe's modules and of what it made, when `make soak ONLY=recipe` last compared the two."""


@pytest.fixture
def folder(countdown: Path) -> Path:
    return countdown / "model"


@pytest.fixture
def record(countdown: Path) -> dict[str, Any]:
    """What was written down beside the committed model."""
    return json.loads((countdown / make_model.RECORD).read_text())


@pytest.fixture
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """As everybody loads it."""
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.slow
@pytest.mark.training
def test_a_seed_repeats_to_the_byte(tmp_path: Path) -> None:
    losses = {}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        losses[name] = make_model.make(warm_start.WarmStart(steps=STEPS, seed=seed), tmp_path / name)
    weights = {name: (tmp_path / name / "model" / "model.safetensors").read_bytes() for name in losses}
    assert losses["first"] == losses["again"]
    assert weights["first"] == weights["again"]
    assert weights["first"] != weights["other"]


@pytest.mark.slow
@pytest.mark.training
def test_the_training_begins_as_that_of_the_committed_model(record: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    settings = warm_start.WarmStart(steps=record["steps"], seed=record["seed"])
    tokenizer = vocabulary.build_tokenizer()
    steps = warm_start.train(warm_start.build_model(tokenizer, settings.seed), tokenizer, settings)
    losses = list(itertools.islice(steps, make_model.FIRST_STEPS))
    assert losses == pytest.approx(record["firstLosses"], abs=LOSS_TOLERANCE)


@pytest.mark.slow
def test_the_committed_model_is_the_one_of_the_record(record: dict[str, Any], folder: Path) -> None:
    defaults = warm_start.WarmStart()
    assert (record["steps"], record["seed"]) == (defaults.steps, defaults.seed)
    assert record["versions"].keys() == {"python", *make_model.LIBRARIES}
    config = json.loads((folder / "config.json").read_text())
    assert config["transformers_version"] == record["versions"]["transformers"]
    model = AutoModelForCausalLM.from_pretrained(folder)
    loss = warm_start.loss_of(model.eval(), vocabulary.build_tokenizer())
    assert loss == pytest.approx(record["loss"], abs=LOSS_TOLERANCE)


def test_the_committed_files_are_those_of_the_recipe(folder: Path, tmp_path: Path) -> None:
    tokenizer = vocabulary.build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    warm_start.build_model(tokenizer, seed=0).save_pretrained(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        if name != "model.safetensors":
            assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name
    assert (folder / "model.safetensors").stat().st_size < MAX_WEIGHT_BYTES


def test_neither_the_recipe_nor_the_weights_have_changed_since_they_were_compared(folder: Path) -> None:
    """The whole recipe takes minutes: after a change run `make soak ONLY=recipe`, then record both anew."""
    modules = (make_model, questions, transcripts, vocabulary, warm_start)
    sources = [Path(module.__file__).read_bytes() for module in modules]
    assert hashlib.sha256(b"".join(sources)).hexdigest() == RECIPE
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == WEIGHTS


def test_auto_tokenizer_keeps_words_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    """For some model types AutoTokenizer silently puts another pre-tokenizer in the place of the saved one."""
    assert tokenizer.tokenize("make 180 from 20 9") == ["make", "180", "from", "20", "9"]
    assert tokenizer.get_vocab() == vocabulary.build_tokenizer().get_vocab()


def test_generation_asks_as_training_taught(tokenizer: PreTrainedTokenizerFast) -> None:
    for turns in conversations():
        whole = tokenizer.apply_chat_template(turns, return_dict=False)
        assert tokenizer.unk_token_id not in whole
        for answered in (1, 3, 5):
            prompt = prompt_ids(tokenizer, turns[:answered])
            end = whole.index(tokenizer.eos_token_id, len(prompt))
            assert whole[: len(prompt)] == prompt
            assert tokenizer.decode(whole[len(prompt) : end]) == turns[answered]["content"]


def test_a_streamed_answer_reads_like_a_decoded_one(tokenizer: PreTrainedTokenizerFast) -> None:
    """vLLM decodes token by token, after the last tokens of the prompt: no blank may slip in front of the answer."""
    for turns in conversations():
        for answered in (1, 3, 5):
            text = turns[answered]["content"]
            stream = DecodeStream(skip_special_tokens=True)
            for token in prompt_ids(tokenizer, turns[:answered])[-4:]:
                stream.step(tokenizer.backend_tokenizer, token)
            ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
            assert "".join(stream.step(tokenizer.backend_tokenizer, token) or "" for token in ids) == text


def test_only_the_words_of_the_assistant_are_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    for turns in conversations():
        ids = tokenizer.apply_chat_template([turns], return_dict=True, return_tensors="pt")["input_ids"]
        labels = warm_start.assistant_labels(tokenizer, ids)
        learnt = labels != warm_start.IGNORED_LABEL
        assert torch.equal(labels[learnt], ids[learnt])
        said = [turn["content"].split() for turn in turns if turn["role"] == "assistant"]
        words = [word for text in said for word in [*text, vocabulary.TURN_END]]
        assert tokenizer.convert_ids_to_tokens(labels[learnt].tolist()) == words


def conversations() -> list[transcripts.Messages]:
    """Some of both sides."""
    train, held_out = questions.split_questions()
    rng = random.Random(5)
    return [transcripts.transcript(q, rng, transcripts.Habits()) for q in train[:100] + held_out[:100]]


def prompt_ids(tokenizer: PreTrainedTokenizerFast, turns: transcripts.Messages) -> list[int]:
    return tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
