"""What we use of TRL, pinned. A failure here means that TRL changed underneath: each message says what to check.

TRL calls `rollout_func` experimental, and two methods that we call are private. Nothing else of ours depends on TRL's insides.
"""

from __future__ import annotations

import inspect
from importlib import metadata

import pytest
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
    return session._trainer


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
            "ReflectionTrainer fills in prompts and failures before it",
        ),
        (
            "_calculate_rewards",
            ["inputs", "prompts", "completions", "completion_ids_list"],
            "ReflectionTrainer counts dead groups from what it returns: rewards of all processes, (rows, functions)",
        ),
        ("_get_train_sampler", ["dataset"], "ReflectionTrainer returns FailureSampler from it"),
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


def test_a_rollout_gets_every_row_and_the_reward_gets_its_fields(session, trainer):
    seen = {}
    rollout, reward = trainer.rollout_func, trainer.reward_funcs[0]

    def spy_rollout(prompts, given):
        output = rollout(prompts, given)
        seen["prompts"], seen["trainer"], seen["output"] = prompts, given, output
        return output

    def spy_reward(**columns):
        seen["columns"] = columns
        return reward(**columns)

    trainer.rollout_func, trainer.reward_funcs[0] = spy_rollout, spy_reward
    run_session(session)
    rows = 32
    assert seen["trainer"] is trainer
    assert len(seen["prompts"]) == rows, (
        "a rollout must get each prompt num_generations times already (TRL's documentation says otherwise)"
    )
    assert [seen["prompts"][row] for row in range(0, rows, 8)] == [
        seen["prompts"][row + 7] for row in range(0, rows, 8)
    ], "rows of a group do not follow each other any more: advantages are of other groups"
    for field in ("reflection", "reflection_finished", "retry"):
        assert seen["columns"][field] == seen["output"][field], (
            f"the extra field {field} does not reach the reward in order"
        )
    assert len(seen["columns"]["failure"]) == rows, "columns of the rows do not reach the reward"


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
