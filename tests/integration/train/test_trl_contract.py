"""What we use of TRL, pinned. A failure here means that TRL changed underneath: each message says what to check.

TRL calls `rollout_func` experimental, and two methods that we call are private. Nothing else of ours depends on TRL's insides.
"""

from __future__ import annotations

import inspect
from importlib import metadata

import pytest
import torch
from accelerate import PartialState
from reflection_trainer.train.grpo import GRPOConfig, GRPOTrainer
from reflection_trainer.train.session import Session
from reflection_trainer.train.trainer import ReflectionTrainer

from .sessions import open_session, run_session

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
    ],
)
def test_the_methods_that_we_call_or_replace(method, expected, advice):
    found = parameters(getattr(GRPOTrainer, method))
    assert found == expected, f"GRPOTrainer.{method} takes {found} now, not {expected}: {advice}"


def test_the_attributes_that_we_read(trainer):
    for name, kind in {"eos_token_ids": list, "num_generations": int, "generation_kwargs": dict}.items():
        assert isinstance(getattr(trainer, name, None), kind), (
            f"GRPOTrainer.{name} is no {kind.__name__} any more"
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


def test_one_process_trains_here():
    assert PartialState().num_processes == 1
