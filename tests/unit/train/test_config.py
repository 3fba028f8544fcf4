"""Every setting of the training reaches TRL's configuration where it should, and changes nothing else there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel
from reflection_api.spec import TrainingSpec
from reflection_trainer.train import config
from reflection_trainer.train.config import grpo_config

from .contexts import training

BASE: dict[str, Any] = {"failuresPerStep": 8, "method": {"numGenerations": 4}}
"""On one processor: 32 completions of a step, in micro-batches of 4."""


class Effect(NamedTuple):
    """What a change of a setting does."""

    change: dict[str, Any]
    effect: dict[str, Any]
    """Values of TRL's configuration that are to differ from those of BASE, and no others may."""


def method(**values: Any) -> dict[str, Any]:
    return {"method": BASE["method"] | values}


EFFECTS: dict[str, Effect] = {
    "method.numGenerations": Effect(
        {"method": {"numGenerations": 8}},
        # More completions, in micro-batches of one group as before.
        {"num_generations": 8, "per_device_train_batch_size": 8, "generation_batch_size": 64},
    ),
    "method.beta": Effect(method(beta=0.5), {"beta": 0.5}),
    "method.lossType": Effect(method(lossType="dapo"), {"loss_type": "dapo"}),
    "method.rewardScaling": Effect(method(rewardScaling="none"), {"scale_rewards": "none"}),
    "method.temperature": Effect(method(temperature=0.5), {"temperature": 0.5}),
    "method.creditScope": Effect(
        # The retries are rows too.
        method(creditScope="reflectionAndRetry"),
        {"gradient_accumulation_steps": 16, "steps_per_generation": 16, "generation_batch_size": 64},
    ),
    "failuresPerStep": Effect(
        {"failuresPerStep": 16},
        {"gradient_accumulation_steps": 16, "steps_per_generation": 16, "generation_batch_size": 64},
    ),
    "microBatchSize": Effect(
        {"microBatchSize": 16},
        {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 2, "steps_per_generation": 2},
    ),
    "maxSteps": Effect({"maxSteps": 100}, {"max_steps": 100, "warmup_steps": 3}),
    "learningRate": Effect({"learningRate": 1e-4}, {"learning_rate": 1e-4}),
    "warmupRatio": Effect({"warmupRatio": 0.5}, {"warmup_steps": 500}),
    "scheduler": Effect({"scheduler": "linear"}, {"lr_scheduler_type": "linear"}),
    "maxGradNorm": Effect({"maxGradNorm": 0.25}, {"max_grad_norm": 0.25}),
    "precision": Effect({"precision": "bf16"}, {"bf16": True}),
    "gradientCheckpointing": Effect({"gradientCheckpointing": False}, {"gradient_checkpointing": False}),
    "seed": Effect({"seed": 7}, {"seed": 7}),
    "reflectionMaxTokens": Effect({"reflectionMaxTokens": 64}, {"max_completion_length": 64}),
    "checkpoint.everySteps": Effect({"checkpoint": {"everySteps": 5}}, {"save_steps": 5}),
    "processesPerNode": Effect(
        {"processesPerNode": 2},
        {"gradient_accumulation_steps": 4, "steps_per_generation": 4, "generation_batch_size": 16},
    ),
    "nodes": Effect(
        {"nodes": 2},
        {"gradient_accumulation_steps": 4, "steps_per_generation": 4, "generation_batch_size": 16},
    ),
}
ELSEWHERE = {
    "generation": "what samples is ours: tests/integration/train/test_colocate.py",
    "method.positiveOnly": "what becomes of advantages: tests/integration/train/test_options.py",
    "method.deadGroups": "what becomes of advantages: tests/integration/train/test_options.py",
    "method.retriesPerReflection": "what becomes of advantages: tests/integration/train/test_options.py",
    "retryMaxTokens": "the second step is ours: tests/unit/train/test_reflect_retry.py",
    "lora.rank": "peft's configuration: tests/integration/train/test_session.py",
    "lora.alpha": "peft's configuration: tests/integration/train/test_session.py",
    "lora.targetModules": "peft's configuration: tests/integration/train/test_session.py",
    "checkpoint.keepLast": "the launcher's: tests/unit/train/test_checkpoints.py",
    "reportTo": "callbacks of our own: tests/integration/train/test_tracking.py",
    "strategy": "the launcher's: tests/unit/train/test_accelerate_config.py",
    "gpusPerNode": "test_a_gpu_is_used_where_there_is_one, below",
}


def leaves(spec: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all settings."""
    for name, field in spec.model_fields.items():
        inner = next((each for each in _models(field.annotation)), None)
        path = f"{prefix}{field.alias or name}"
        if inner is None:
            yield path
        else:
            yield from leaves(inner, f"{path}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for each in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def values(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    made = grpo_config(training(**changes), tmp_path)
    fields = {field.name for field in dataclasses.fields(made)}
    return {name: getattr(made, name) for name in fields}


def test_no_setting_is_forgotten():
    assert sorted(leaves(TrainingSpec)) == sorted(EFFECTS.keys() | ELSEWHERE.keys())


@pytest.mark.parametrize("setting", EFFECTS)
def test_a_setting_changes_what_it_is_for_and_nothing_else(tmp_path, setting):
    before = values(tmp_path, **BASE)
    after = values(tmp_path, **BASE | EFFECTS[setting].change)
    changed = {name: value for name, value in after.items() if value != before[name]}
    assert changed == EFFECTS[setting].effect


@pytest.mark.parametrize("setting", sorted(ELSEWHERE.keys() - {"gpusPerNode"}))
def test_a_setting_of_another_part_changes_nothing_here(tmp_path, setting):
    outer, _, inner = setting.rpartition(".")
    other = {
        "targetModules": ["q_proj"],
        "generation": "colocate",
        "deadGroups": "drop",
        "positiveOnly": True,
        "strategy": "fsdp",
        "reportTo": ["mlflow"],
    }
    value = other.get(inner, 7)
    change = {outer: BASE.get(outer, {}) | {inner: value}} if outer else {inner: value}
    assert values(tmp_path, **BASE | change) == values(tmp_path, **BASE)


def test_a_gpu_is_used_where_there_is_one():
    """Not as a whole: without a GPU transformers refuses to build it."""
    on_processor, on_gpu = (config._machine(training(**BASE, gpusPerNode=count)) for count in (0, 1))
    changed = {name: value for name, value in on_gpu.items() if value != on_processor[name]}
    assert changed == {"use_cpu": False, "bf16": True, "dataloader_pin_memory": True}


LOSSES = {
    "grpo": {"loss_type": "grpo"},
    "dr_grpo": {"loss_type": "dr_grpo"},
    "dapo": {"loss_type": "dapo"},
    "bnpo": {"loss_type": "bnpo"},
    "cispo": {"loss_type": "cispo", "epsilon_high": 5.0},
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_a_name_in_trl(tmp_path, loss):
    before = values(tmp_path, **BASE)
    after = values(tmp_path, **BASE | method(lossType=loss))
    assert {name: after[name] for name in LOSSES[loss]} == LOSSES[loss]
    assert {name for name, value in after.items() if value != before[name]} <= LOSSES[loss].keys()


def test_what_must_hold_whatever_is_set(tmp_path):
    """Each of these would change the method if it were left to a default."""
    fixed = {
        "num_iterations": 1, "epsilon": 0.2, "top_p": 1.0, "top_k": 0, "mask_truncated_completions": False,
        "disable_dropout": True, "use_bias_correction_kl": False, "weight_decay": 0.0, "use_cpu": True,
        "save_total_limit": None, "vllm_importance_sampling_correction": True,
        "vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_max": 2.0,
        "vllm_importance_sampling_clip_min": None,
        "report_to": [], "push_to_hub": False, "save_strategy": "steps", "logging_steps": 1, "logging_nan_inf_filter": False,
    }  # fmt: skip
    found = values(tmp_path, **BASE)
    assert {name: found[name] for name in fixed} == fixed


def test_one_generation_is_one_optimizer_step(tmp_path):
    for change in ({}, {"microBatchSize": 32}, {"nodes": 2, "processesPerNode": 2}):
        settings = training(**BASE | change)
        made = grpo_config(settings, tmp_path)
        assert made.steps_per_generation == made.gradient_accumulation_steps
        completions = made.per_device_train_batch_size * made.gradient_accumulation_steps
        assert (
            completions * settings.world_size == settings.failures_per_step * settings.method.num_generations
        )


@pytest.mark.parametrize(
    ("ratio", "steps", "warmup"), [(0, 1000, 0), (0.03, 10, 1), (0.03, 1000, 30), (1, 7, 7)]
)
def test_the_warm_up_is_whole_steps(tmp_path, ratio, steps, warmup):
    """A number below 1 would be read as a share."""
    assert values(tmp_path, **BASE, warmupRatio=ratio, maxSteps=steps)["warmup_steps"] == warmup
