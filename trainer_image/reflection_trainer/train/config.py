"""From the resource's settings to TRL's, with nothing left to a default that would change the method."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from reflection_api.contract import TrainingSettings
from reflection_api.spec.training import LossType

from .grpo import GRPOConfig

_EPSILON = 0.2
_LOSSES: dict[LossType, dict[str, Any]] = {
    "grpo": {"loss_type": "grpo"},
    "dr_grpo": {"loss_type": "dr_grpo"},
    "dapo": {"loss_type": "dapo"},
    "bnpo": {"loss_type": "bnpo"},
    # Without a bound of its own TRL clips CISPO's ratio at epsilon, far below 1: every gradient would shrink to a fifth.
    "cispo": {"loss_type": "cispo", "epsilon_high": 5.0},
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
}


def grpo_config(settings: TrainingSettings, output: Path, *, trust_remote_code: bool = False) -> GRPOConfig:
    """TRL's configuration of a training whose checkpoints go to the folder `output`."""
    return GRPOConfig(
        output_dir=str(output),
        # TRL loads the model a second time, as the reference for the divergence.
        trust_remote_code=trust_remote_code,
        **_method(settings),
        **_batches(settings),
        **_optimisation(settings),
        **_machine(settings),
        **_bookkeeping(settings),
    )


def _method(settings: TrainingSettings) -> dict[str, Any]:
    method = settings.method
    return {
        "num_generations": method.num_generations,
        "beta": method.beta,
        "scale_rewards": method.reward_scaling,
        "temperature": method.temperature,
        "top_p": 1.0,
        "top_k": 0,
        "max_completion_length": settings.reflection_max_tokens,
        "epsilon": _EPSILON,
        "num_iterations": 1,
        # GRPO's own estimator of the divergence; TRL's default multiplies it with the importance ratio.
        "use_bias_correction_kl": False,
        # Cut-off reflections are rewarded with 0, so they are trained away from instead of being left alone.
        "mask_truncated_completions": False,
        # Rollouts are sampled in training mode: with dropout the sampled policy would not be the trained one.
        "disable_dropout": True,
        # With `colocate` a token counts by how likely it is to the trainer beside vLLM, twofold at most: truncated importance
        # sampling. TRL's default leaves out whole reflections whose summed difference is beyond a bound: in bf16 long ones.
        "vllm_importance_sampling_correction": True,
        "vllm_importance_sampling_mode": "token_truncate",
        "vllm_importance_sampling_clip_max": 2.0,
        **_LOSSES[method.loss_type],
    }


def _batches(settings: TrainingSettings) -> dict[str, Any]:
    """One generation batch is one optimizer step: the policy that samples is always the policy that is updated."""
    accumulation = settings.rows_per_process // settings.micro_batch_size
    return {
        "per_device_train_batch_size": settings.micro_batch_size,
        "gradient_accumulation_steps": accumulation,
        "steps_per_generation": accumulation,
        "max_steps": settings.max_steps,
    }


def _optimisation(settings: TrainingSettings) -> dict[str, Any]:
    return {
        "optim": "adamw_torch",
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        # In whole steps: transformers reads a number below 1 as a share.
        "warmup_steps": math.ceil(settings.warmup_ratio * settings.max_steps),
        "weight_decay": 0.0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "max_grad_norm": settings.max_grad_norm,
        "seed": settings.seed,
    }


def _machine(settings: TrainingSettings) -> dict[str, Any]:
    on_gpu = settings.gpus_per_node > 0
    return {
        "use_cpu": not on_gpu,
        "bf16": settings.precision == "bf16",
        "tf32": None,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "dataloader_pin_memory": on_gpu,
        "ddp_find_unused_parameters": False,
    }


def _bookkeeping(settings: TrainingSettings) -> dict[str, Any]:
    return {
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": settings.checkpoint.every_steps,
        # Saved checkpoints are moved to storage, where keepLast is honoured.
        "save_total_limit": None,
        "report_to": "none",
        "disable_tqdm": True,
        "log_completions": False,
        "push_to_hub": False,
    }
