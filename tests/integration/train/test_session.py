"""What a session makes of its settings: the trained model, adapters, figures, odd generations."""

from __future__ import annotations

import pytest
import torch
from reflection_trainer.errors import BadConfig
from reflection_trainer.train.metrics import read_metrics
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from . import tiny
from .sessions import open_session, reward_every_other_row, run_session, steps_of

pytestmark = pytest.mark.training


def test_the_model_is_one_that_transformers_loads(tmp_path, model):
    session = open_session(tmp_path, model)
    reward_every_other_row(session)
    trained = run_session(session)
    session.save_model()
    folder = session._order.model
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert all(torch.equal(value, trained[name]) for name, value in loaded.state_dict().items())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == tiny.CHAT_TEMPLATE
    expected = GenerationConfig.from_pretrained(model)
    assert GenerationConfig.from_pretrained(folder).eos_token_id == expected.eos_token_id


def test_a_model_in_bf16_is_trained_in_fp32_and_comes_back_in_bf16(tmp_path):
    folder = tiny.write_model(tmp_path / "bf16", dtype=torch.bfloat16)
    session = open_session(tmp_path, folder, learningRate=1e-6)
    assert {parameter.dtype for parameter in session.model.parameters()} == {torch.float32}
    reward_every_other_row(session)
    trained = run_session(session)
    before = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    moved = [name for name in before if not torch.equal(before[name], trained[name])]
    assert moved, "steps of 1e-6 are lost in bf16, which has 8 bits"
    session.save_model()
    assert AutoModelForCausalLM.from_pretrained(session._order.model, dtype="auto").dtype == torch.bfloat16


def test_dropout_is_off_while_reflections_are_sampled_and_kept_for_others(tmp_path):
    folder = tiny.write_model(tmp_path / "dropout", attention_dropout=0.5)
    session = open_session(tmp_path, folder)
    assert session.model.config.attention_dropout == 0
    run_session(session)
    session.save_model()
    assert AutoModelForCausalLM.from_pretrained(session._order.model).config.attention_dropout == 0.5


def test_adapters_are_merged_into_the_published_model(tmp_path, model):
    session = open_session(tmp_path, model, lora={"rank": 4}, learningRate=0.1)
    trainable = [name for name, value in session.model.named_parameters() if value.requires_grad]
    assert trainable
    assert all("lora_" in name for name in trainable)
    reward_every_other_row(session)
    run_session(session)
    prompt = torch.tensor([[2, 4, 6, 8, 3]])
    with torch.no_grad():
        expected = session.model(prompt).logits
    session.save_model()
    published = AutoModelForCausalLM.from_pretrained(session._order.model)
    base = AutoModelForCausalLM.from_pretrained(model)
    assert published.state_dict().keys() == base.state_dict().keys()
    with torch.no_grad():
        torch.testing.assert_close(published(prompt).logits, expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(base(prompt).logits, expected, atol=1e-3)


def test_every_setting_of_the_adapters_counts(tmp_path, model):
    session = open_session(
        tmp_path, model, lora={"rank": 4, "alpha": 6, "targetModules": ["q_proj", "v_proj"]}
    )
    adapters = session.model.peft_config["default"]
    assert (adapters.r, adapters.lora_alpha, adapters.target_modules) == (4, 6, {"q_proj", "v_proj"})
    trainable = {name for name, value in session.model.named_parameters() if value.requires_grad}
    assert {part for name in trainable for part in name.split(".") if part.endswith("_proj")} == {
        "q_proj",
        "v_proj",
    }


@pytest.mark.parametrize("target", ["q_porj", "lm_head"])
def test_adapters_for_layers_that_are_not_there_are_refused(tmp_path, model, target):
    with pytest.raises(BadConfig) as raised:
        open_session(tmp_path, model, lora={"targetModules": ["q_proj", target]})
    message = raised.value.message
    assert message.startswith(f"spec.training.lora.targetModules: {target}: the model has no linear layer")
    assert "q_proj, up_proj, v_proj" in message


def test_every_step_has_a_line_with_all_figures(tmp_path, model):
    session = open_session(tmp_path, model, maxSteps=3, method={"beta": 0.1})
    run_session(session)
    lines = read_metrics(session._order.metrics)
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {
        "step", "reward", "groups", "deadGroupShare", "allWrongShare", "allRightShare", "reflectionTokens", "truncatedShare",
        "leakShare", "entropy", "kl", "loss", "gradNorm", "learningRate", "retryTokens", "retryTruncatedShare",
        "tokensReflect", "tokensRetry", "secondsReflect", "secondsRetry", "secondsVerify", "secondsUpdate", "seconds",
    }  # fmt: skip
    parts = ("secondsReflect", "secondsRetry", "secondsVerify", "secondsUpdate")
    for line in lines:
        assert all(line[part] > 0 for part in parts)
        assert sum(line[part] for part in parts) == pytest.approx(line["seconds"], rel=1e-3)
        assert line["tokensReflect"] == pytest.approx(line["reflectionTokens"] * 32)


def test_no_divergence_is_logged_where_none_is_computed(tmp_path, model):
    session = open_session(tmp_path, model, maxSteps=1, method={"beta": 0})
    run_session(session)
    assert "kl" not in read_metrics(session._order.metrics)[0]


def test_what_finds_no_room_has_ended(tmp_path, model):
    session = open_session(tmp_path, model, maxSteps=1)
    trainer = session.trainer
    generate = trainer._generate_single_turn

    def nothing(*args):
        ids, logprobs = generate(*args)
        return [[] for _ in ids], logprobs

    trainer._generate_single_turn = nothing
    run_session(session)
    line = read_metrics(session._order.metrics)[0]
    assert line["truncatedShare"] == 0
    assert line["reflectionTokens"] == 1, "the end token alone"


def test_reflections_without_an_end_are_counted_and_earn_nothing(tmp_path, model):
    session = open_session(tmp_path, model, maxSteps=1)
    trainer = session.trainer
    judge = steps_of(session)._reward
    judge._verifier.verify = lambda items: [type("Verdict", (), {"correct": True}) for _ in items]
    generate = trainer._generate_single_turn
    endless = [8] * 8

    def without_end(*args):
        ids, logprobs = generate(*args)
        return [endless if row % 4 == 0 else [8, 3] for row in range(len(ids))], logprobs

    trainer._generate_single_turn = without_end
    run_session(session)
    line = read_metrics(session._order.metrics)[0]
    assert line["truncatedShare"] == 0.25
    assert line["reward"] == 0.75
    assert line["deadGroupShare"] == 0
