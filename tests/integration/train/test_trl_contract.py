"""What we use of TRL, pinned. A failure here means that TRL changed underneath: each message says what to check.

TRL calls `rollout_func` experimental, and most of what we call, replace or set is private. What we import: test_trl_names.py.
"""

from __future__ import annotations

import inspect
import re
from importlib import metadata
from typing import Any

import pytest
import torch
from accelerate import PartialState
from reflection_trainer.train.colocated import Colocated, sample_by
from reflection_trainer.train.grpo import (
    GRPOConfig,
    GRPOTrainer,
    shuffle_sequence_dict,
    split_tensor_dict,
)
from reflection_trainer.train.metrics import _FROM_TRL, read_metrics
from reflection_trainer.train.session import Session
from reflection_trainer.train.trainer import ReflectionTrainer

from .sessions import open_session, reward_every_other_row, run_session

pytestmark = pytest.mark.training

TESTED = "1.16.0"


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.fixture(scope="module")
def session(tmp_path_factory, model) -> Session:
    return open_session(tmp_path_factory.mktemp("contract"), model, maxSteps=1, microBatchSize=4)


@pytest.fixture(scope="module")
def trainer(session) -> ReflectionTrainer:
    return session.trainer


def test_the_version_is_the_one_that_was_read():
    assert metadata.version("trl") == TESTED, (
        f"TRL is not {TESTED} any more. Run this file and test_gradient_isolation.py, read the release notes for rollout_func "
        "and GRPOConfig's defaults, then change TESTED and the pin in pyproject.toml"
    )


def test_the_trainer_still_takes_a_rollout_function():
    used = {
        "model",
        "reward_funcs",
        "args",
        "train_dataset",
        "processing_class",
        "callbacks",
        "peft_config",
        "rollout_func",
    }
    assert used <= set(parameters(GRPOTrainer.__init__)), (
        "GRPOTrainer's arguments changed. If rollout_func is gone, generate the retry in the reward function instead: "
        "it may hold a reference to the trainer, and gradients are bit for bit the same"
    )


@pytest.mark.parametrize(
    ("method", "expected", "advice"),
    [
        ("_tokenize_prompts", ["prompts"], "TrlGenerator.generate calls it to apply the chat template"),
        (
            "_generate_single_turn",
            ["prompt_ids", "images", "multimodal_fields", "num_generations", "has_tool_images"],
            "TrlGenerator.generate calls it for both steps; it must return (token ids per row, log-probabilities or None)",
        ),
        (
            "_generate_and_score_completions",
            ["inputs"],
            "ReflectionTrainer samples before it and masks dead groups after it",
        ),
        (
            "_prepare_inputs",
            ["generation_batch"],
            "ReflectionTrainer replaces it: it keeps a step's micro-batches in _buffered_inputs and counts them in _step",
        ),
        (
            "compute_loss",
            ["model", "inputs", "return_outputs", "num_items_in_batch"],
            "ReflectionTrainer scales what it returns where dead groups are left out, and passes over empty micro-batches",
        ),
        ("_get_train_sampler", ["dataset"], "ReflectionTrainer returns SameRow from it"),
        ("log", ["logs", "start_time"], "ReflectionTrainer adds its figures before the callbacks read them"),
        (
            "create_model_card",
            ["model_name", "dataset_name", "tags"],
            "ReflectionTrainer replaces it by nothing, else every checkpoint gets TRL's card",
        ),
    ],
)
def test_the_methods_that_we_call_or_replace(method, expected, advice):
    found = parameters(getattr(GRPOTrainer, method))
    assert found == expected, f"GRPOTrainer.{method} takes {found} now, not {expected}: {advice}"


def test_the_attributes_that_we_read(trainer):
    kinds = {
        "eos_token_ids": list, "num_generations": int, "generation_kwargs": dict, "loss_type": str, "_step": int,
        "use_vllm": bool,
    }  # fmt: skip
    for name, kind in kinds.items():
        assert isinstance(getattr(trainer, name, None), kind), (
            f"GRPOTrainer.{name} is no {kind.__name__} any more"
        )
    assert trainer.generation_kwargs["temperature"] == trainer.args.temperature, (
        "colocated.py takes it from there"
    )
    assert trainer.generation_kwargs["max_new_tokens"] == 8, (
        "the token limit is not in generation_kwargs any more: trl_adapter._at_most swaps it there for the retry"
    )
    assert trainer.generation_config.max_new_tokens == 8, "the same for generation_config"


def test_our_settings_are_understood(trainer):
    args = trainer.args
    assert isinstance(args, GRPOConfig)
    expected = {
        "steps_per_generation": 8, "gradient_accumulation_steps": 8, "generation_batch_size": 32, "num_iterations": 1,
        "loss_type": "grpo", "scale_rewards": "group", "importance_sampling_level": "token", "beta": 0.001,
        "use_bias_correction_kl": False, "mask_truncated_completions": False, "bf16": False, "use_vllm": False,
        "report_to": [], "disable_dropout": True,
    }  # fmt: skip
    assert {name: getattr(args, name) for name in expected} == expected, (
        "GRPOConfig changed a name or a meaning: see train/config.py"
    )


def test_the_policy_samples_right_before_its_update(trainer):
    """Then the importance ratio is 1, no old log-probabilities are kept, and no checkpoint is inside a generation batch."""
    args = trainer.args
    assert args.gradient_accumulation_steps % (args.steps_per_generation * args.num_iterations) == 0


def test_a_step_asks_once_for_all_its_rows_and_the_reward_gets_them_in_order(session, trainer):
    seen = {}
    rollout, reward = trainer.rollout_func, trainer.reward_funcs[0]

    def spy_rollout(prompts, given):
        assert not seen, "the rows of one step are asked for more than once"
        output = rollout(prompts, given)
        output["earned"] = [float(row) for row in range(len(prompts))]
        seen["prompts"], seen["trainer"], seen["output"] = prompts, given, output
        return output

    def spy_reward(**columns):
        seen["columns"] = columns
        return reward(**columns)

    trainer.rollout_func, trainer.reward_funcs[0] = spy_rollout, spy_reward
    batches = []
    shuffled = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: batches.append(shuffled(inputs)) or batches[0]
    run_session(session)
    rows = 32
    assert seen["trainer"] is trainer
    assert len(seen["prompts"]) == rows
    assert seen["columns"]["earned"] == list(range(rows)), (
        "the extra field does not reach the reward in order"
    )
    assert len(seen["columns"]["completion_ids"]) == rows
    (batch,) = batches
    ids = [
        row[mask == 1].tolist()
        for row, mask in zip(batch["completion_ids"], batch["completion_mask"], strict=True)
    ]
    assert ids == seen["output"]["completion_ids"], (
        "rows of a batch are not in the order of the rollout any more"
    )
    groups = batch["advantages"].view(-1, 8)
    torch.testing.assert_close(
        groups, groups[:1].expand_as(groups), msg="groups are not 8 rows that follow each other"
    )
    assert batch["completion_ids"].shape[0] == len(batch["completion_mask"])


def test_advantages_are_only_used_row_by_row(trainer):
    """ReflectionTrainer clamps `advantages` and masks `completion_mask` in the batch: the loss must read both there."""
    source = inspect.getsource(GRPOTrainer._compute_loss)
    for needed in ('inputs["advantages"]', 'inputs["completion_mask"]', 'inputs["num_items_in_batch"]'):
        assert needed in source, f"the loss does not read {needed} any more"


def test_the_end_of_training_is_told_from_a_step(trainer):
    """trainer.STEP_LOG: the log of a step holds `loss`, the one at the end `train_loss`."""
    lines = []
    trainer.callback_handler.on_log = lambda args, state, control, logs: lines.append(logs) or control
    trainer.log({"train_loss": 1.0, "train_runtime": 1.0})
    assert trainer.figures, "there was a step before"
    before = dict(trainer.figures)
    assert lines, "on_log was not called"
    assert trainer.figures == before


def test_the_rows_of_a_step_are_mixed_together_and_cut_in_order():
    """ReflectionTrainer._prepare_inputs: where one of these fails, write both functions in grpo.py as they were."""
    torch.manual_seed(0)
    rows = {"ids": torch.arange(8), "texts": list("01234567"), "in_all": torch.tensor(7), "images": None}
    mixed = shuffle_sequence_dict(rows)
    assert mixed["texts"] != rows["texts"]
    assert sorted(mixed["texts"]) == rows["texts"]
    assert [str(row) for row in mixed["ids"].tolist()] == mixed["texts"], (
        "the columns of a row were separated"
    )
    assert (int(mixed["in_all"]), mixed["images"]) == (7, None)
    parts = split_tensor_dict({"ids": torch.arange(8), "in_all": torch.tensor(7)}, 2)
    assert [part["ids"].tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [int(part["in_all"]) for part in parts] == [7, 7], "num_items_in_batch is of the whole step"


def test_trl_believes_that_there_is_no_vllm():
    """grpo.py: else every training process loads it, for seconds and gigabytes."""
    from trl.generation import vllm_generation

    answer = getattr(vllm_generation, "is_vllm_available", lambda: True)
    assert not answer(), "TRL asks for vLLM before grpo.py has answered, or asks in another way"
    assert not hasattr(vllm_generation, "LLM"), "TRL imports vLLM without asking"


def test_vllm_stands_where_colocated_puts_it():
    """sample_by sets three attributes: where TRL names one of them otherwise, it would go on to sample by transformers."""
    source = inspect.getsource(GRPOTrainer._generate_single_turn)
    for needed in (
        "self.use_vllm",
        "self._last_loaded_step",
        "self.vllm_generation.sync_weights()",
        "self.vllm_generation.generate(",
    ):
        assert needed in source, (
            f"_generate_single_turn does not read {needed} any more: see colocated.sample_by"
        )
    used = set(re.findall(r"self\.vllm_generation\.(\w+)", inspect.getsource(GRPOTrainer)))
    # The last two in __init__, for a server, and where tools are called, which we have none of.
    assert used <= {"generate", "sync_weights", "vllm_client", "llm"}, "colocated.Colocated has to have more"


class StandIn:
    """For colocated.Colocated without vLLM: it ends every row at once."""

    def __init__(self, trainer: Any) -> None:
        self.calls: list[str] = []
        self._end = trainer.eos_token_ids[0]

    def sync_weights(self) -> None:
        self.calls.append("sync_weights")

    def generate(self, **asked: Any) -> Any:
        assert sorted(asked) == sorted(parameters(Colocated.generate)), (
            "TRL's call: change Colocated.generate"
        )
        self.calls.append("generate")
        rows = asked["prompts"]
        return rows, [[self._end]] * len(rows), [[[-1.0]]] * len(rows), None


def test_vllm_gets_the_weights_once_a_step_and_all_figures_have_their_names(tmp_path, model):
    session = open_session(tmp_path, model, maxSteps=2, microBatchSize=4)
    reward_every_other_row(session)
    trainer: Any = session.trainer
    sample_by(trainer, StandIn)
    run_session(session)
    assert trainer.vllm_generation.calls == ["sync_weights", "generate", "generate"] * 2, (
        "TRL pushes weights at other times: _last_loaded_step, which sample_by sets, is not what keeps it from that any more"
    )
    assert trainer._step == 2 * trainer.args.gradient_accumulation_steps, (
        "_step does not count micro-batches any more: ReflectionTrainer._prepare_inputs finds the one that is due by it"
    )
    for line in read_metrics(session._order.metrics):
        missing = [theirs for theirs, ours in _FROM_TRL.items() if ours not in line]
        assert missing == [], (
            "TRL logs these under other names: change metrics._FROM_TRL, which ours are kept by"
        )


def test_one_process_trains_here():
    assert PartialState().num_processes == 1
