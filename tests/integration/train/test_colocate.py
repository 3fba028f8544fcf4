"""vLLM inside the training: it samples the policy in training, says so at every update, and a resumed run samples the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from reflection_trainer.engines.colocated_engine import checksum
from reflection_trainer.errors import BadConfig
from reflection_trainer.train.colocated import PolicyStale
from reflection_trainer.train.metrics import read_metrics
from reflection_trainer.train.policy import load_policy, lora_config
from reflection_trainer.train.weights import merged_weights
from transformers import AutoModelForCausalLM

from . import tiny
from .sessions import Probe, open_session, reward_every_other_row, run_session

pytestmark = [pytest.mark.training, pytest.mark.vllm, pytest.mark.slow]

LORA = {"rank": 4, "targetModules": ["q_proj", "v_proj", "down_proj"]}
VARIANTS = pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vLLM attends with heads of 32 numbers and more."""
    return tiny.write_model(tmp_path_factory.mktemp("colocated"), head_dim=32)


def open_colocated(folder: Path, model: Path, lora: Any, **training: Any) -> Any:
    session = open_session(folder, model, generation="colocate", lora=lora, **training)
    reward_every_other_row(session)
    return session


@VARIANTS
def test_it_samples_the_policy_in_training(tmp_path, model, lora):
    session = open_colocated(tmp_path, model, lora, maxSteps=3, learningRate=0.05)
    probe = Probe(session)
    inside = session.trainer.vllm_generation
    pushes, push = [], inside.sync_weights
    inside.sync_weights = lambda: pushes.append(session.step) or push()
    before = {name: value.clone() for name, value in session.model.state_dict().items()}
    after = run_session(session)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert pushes == [0, 1, 2], "once a step, though the step samples twice"
    lines = read_metrics(session._order.metrics)
    assert all(line["samplingGap"] < 1e-4 for line in lines), "a token's log-probability there and here"
    for inputs in probe.inputs:
        torch.testing.assert_close(
            inputs["importance_sampling_ratio"],
            torch.ones_like(inputs["importance_sampling_ratio"]),
            rtol=1e-3,
            atol=1e-3,
        )


def test_it_has_room_for_what_the_failures_need_and_what_needs_more_is_not_continued(tmp_path, model):
    session = open_colocated(tmp_path, model, None)
    engine = session.trainer.vllm_generation._engine
    room = engine._engine.vllm_config.model_config.max_model_len
    settings = session._order.config.training
    assert session._table.longest() < room < session._table.longest() + settings.reflection_max_tokens
    assert room < session._model_folder.context_length
    prompts = [[5, 6, 7], [5] * room, [5, 6, 8], [5] * (room - 1)]

    def sampled(numbers: list[int]) -> list[list[int]]:
        found = engine.generate(
            [prompts[number] for number in numbers], max_tokens=4, temperature=1.0, ends=[], seeds=numbers
        )
        return [one.token_ids for one in found]

    first, none, third, last = sampled([0, 1, 2, 3])
    assert first, "it is continued"
    assert (none, len(last)) == ([], 1)
    assert [first, third] == sampled([0, 2])


def test_what_found_no_room_costs_none_and_is_not_compared(tmp_path, model):
    """It stands for a retry that does not fit the model either."""
    session = open_colocated(tmp_path, model, None, maxSteps=1, method={"creditScope": "reflectionAndRetry"})
    probe, trainer = Probe(session), session.trainer
    generate = trainer._generate_single_turn

    def without_room(prompts, *others):
        ids, logprobs = generate(prompts, *others)
        ids[0], logprobs[0] = [], []
        return ids, logprobs

    trainer._generate_single_turn = without_room
    run_session(session)
    (line,) = read_metrics(session._order.metrics)
    assert 0 < line["samplingGap"] < 1e-4
    lengths = torch.cat([inputs["prompt_mask"].sum(dim=1) for inputs in probe.inputs])
    assert (lengths == 1).sum() == 2, "of the reflection and of the retry"


@VARIANTS
def test_one_update_that_does_not_arrive_stops_the_run(tmp_path, model, lora):
    """At the default learning rate, 5e-7: no log-probability shows a step as small as that."""
    session = open_colocated(tmp_path, model, lora, maxSteps=4, learningRate=5e-7)
    engine = session.trainer.vllm_generation._engine
    update = engine.update
    arrived = iter([True, True, False])
    engine.update = lambda weights: update(weights) if next(arrived) else None
    with pytest.raises(PolicyStale) as raised:
        run_session(session)
    assert int(raised.value.exit_code) == 70
    assert raised.value.message.startswith(
        "after step 2 vLLM does not sample with the weights in training: their checks"
    )


@VARIANTS
def test_so_does_one_that_is_left_out_with_its_canary(tmp_path, model, lora):
    """The canary comes with the update: where that is left out, nothing is compared."""
    session = open_colocated(tmp_path, model, lora, maxSteps=4)
    inside = session.trainer.vllm_generation
    push = inside.sync_weights
    inside.sync_weights = lambda: None if session.step == 2 else push()
    with pytest.raises(PolicyStale, match=r"^after step 2 .* not pushed into it, those after step 1 last; "):
        run_session(session)


def test_so_does_an_update_that_leaves_old_prefixes_in_the_cache(tmp_path, model, monkeypatch):
    """As vLLM says of itself while a text is under way, whose blocks it cannot free."""
    session = open_colocated(tmp_path, model, None, maxSteps=2)
    inner = session.trainer.vllm_generation._engine._engine
    reset = inner.reset_prefix_cache
    monkeypatch.setattr(inner, "reset_prefix_cache", lambda: session.step == 0 and reset())
    with pytest.raises(PolicyStale, match=r"^after step 1 .*: it keeps prefixes"):
        run_session(session)


@VARIANTS
def test_training_in_bf16_is_no_false_alarm(tmp_path, model, lora):
    """On a processor vLLM computes in fp32 all the same."""
    session = open_colocated(tmp_path, model, lora, maxSteps=3, precision="bf16", learningRate=0.05)
    inside = session.trainer.vllm_generation
    differences, told = [], inside._log_probabilities

    def watched() -> torch.Tensor:
        exact, trained = told(), session.trainer.model(input_ids=torch.tensor([inside._canary])).logits
        rounded = trained[0, :-1].log_softmax(-1).gather(-1, torch.tensor(inside._canary)[1:, None])[:, 0]
        differences.append(float((rounded - exact).detach().abs().mean()))
        return exact

    inside._log_probabilities = watched
    before = {name: value.clone() for name, value in session.model.state_dict().items()}
    after = run_session(session)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert len(differences) == 3
    assert min(differences) > 1e-3, "what trains computes in bf16, before the canary and after it"


def test_an_update_that_does_not_arrive_is_noticed_in_bf16(tmp_path, model):
    session = open_colocated(tmp_path, model, None, maxSteps=3, precision="bf16", learningRate=5e-7)
    engine = session.trainer.vllm_generation._engine
    update = engine.update
    engine.update = lambda weights: None if session.step else update(weights)
    with pytest.raises(PolicyStale, match=r"after step 1 .* their checksums"):
        run_session(session)


def test_neither_does_one_tensor_that_is_left_out(tmp_path, model):
    session = open_colocated(tmp_path, model, None, maxSteps=2, learningRate=5e-7)
    engine = session.trainer.vllm_generation._engine
    update = engine.update
    engine.update = lambda weights: update(
        (name, tensor) for name, tensor in weights if session.step == 0 or "layers.1.mlp.up_proj" not in name
    )
    with pytest.raises(PolicyStale, match="after step 1"):
        run_session(session)


def test_weights_that_have_arrived_but_stand_in_the_wrong_places_are_noticed(tmp_path, model):
    """Their sum is the same: what the model says of a fixed prompt is not."""
    session = open_colocated(tmp_path, model, None, maxSteps=2)
    engine = session.trainer.vllm_generation._engine
    update = engine.update

    def crossed(weights: Iterator[tuple[str, torch.Tensor]]) -> None:
        other = {"0": "1", "1": "0"}
        update(
            (name.replace(f"layers.{n}.", f"layers.{other[n]}."), tensor)
            if (n := name.partition("layers.")[2][:1]) in other
            else (name, tensor)
            for name, tensor in weights
        )

    engine.update = crossed
    with pytest.raises(PolicyStale, match="the log-probabilities of a fixed prompt differ by"):
        run_session(session)


@VARIANTS
def test_a_resumed_training_samples_the_same(tmp_path, model, lora):
    settings = {"maxSteps": 5, "checkpoint": {"everySteps": 2}, "lora": lora, "learningRate": 0.05}
    settings |= {"method": {"numGenerations": 4, "deadGroups": "refill"}, "retryMaxTokens": 1}
    kept = tmp_path / "kept"
    whole = open_session(tmp_path / "whole", model, generation="colocate", **settings)
    expected = run_session(whole, kept)
    resumed = open_session(
        tmp_path / "resumed", model, generation="colocate", resume_from=kept / "checkpoint-2", **settings
    )
    found = run_session(resumed)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_heads_that_it_cannot_compute_here_are_named_with_the_remedy(tmp_path):
    small = tiny.write_model(tmp_path / "small")
    with pytest.raises(
        BadConfig, match=r"heads of 8 numbers.* set spec.training.generation: transformers, or"
    ):
        open_session(tmp_path, small, generation="colocate")


def test_merged_weights_are_the_models_and_leave_it_as_it_was(model):
    policy = load_policy(model, uri="x", trust_remote_code=False)
    spec = tiny.training(lora=LORA).lora
    adapted = get_peft_model(policy.model, lora_config(spec, policy.model))
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_B" in name:
                value.normal_()
    before = {name: value.clone() for name, value in adapted.state_dict().items()}
    merged = dict(merged_weights(adapted))
    assert all(torch.equal(before[name], value) for name, value in adapted.state_dict().items())
    plain = AutoModelForCausalLM.from_pretrained(model)
    assert set(merged) == {name for name, _ in plain.named_parameters()}
    plain.load_state_dict(merged, strict=False)
    prompt = torch.tensor([[2, 4, 6, 8, 3]])
    with torch.no_grad():
        torch.testing.assert_close(plain(prompt).logits, adapted(prompt).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_checksum_sees_the_last_bit_and_no_layout(dtype):
    torch.manual_seed(0)
    one, two = torch.randn(7, 5), torch.randn(3, 5)
    whole = checksum([one, two], dtype)
    padded = torch.cat([two, one, torch.zeros(2, 5)]).t()
    assert checksum([padded], dtype) == whole
    changed = one.clone().to(dtype)
    changed.view(torch.int16 if dtype == torch.bfloat16 else torch.int32)[3, 3] += 1
    assert checksum([changed.float(), two], dtype) != whole
