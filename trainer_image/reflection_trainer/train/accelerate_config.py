"""The file that tells accelerate's launcher what to start."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import yaml
from reflection_api.contract import TrainingSettings
from reflection_api.reasons import Reason
from reflection_api.spec.training import Strategy

from ..errors import BadConfig


@dataclass(frozen=True)
class Rendezvous:
    """Where the machines of a training meet."""

    address: str
    port: int


def accelerate_config(settings: TrainingSettings, node: int, rendezvous: Rendezvous | None) -> str:
    """The YAML of `accelerate launch --config_file`.

    `rendezvous` is None for a training on one machine, whose port accelerate then chooses.
    """
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "use_cpu": settings.gpus_per_node == 0,
        "mixed_precision": "bf16" if settings.precision == "bf16" else "no",
        "num_machines": settings.nodes,
        "machine_rank": node,
        "num_processes": settings.world_size,
        "main_training_function": "main",
        "main_process_port": 0,
        **_strategy(settings),
    }
    if rendezvous:
        # Explicit: accelerate does not read the variables that torchrun reads and would train alone.
        config |= {
            "main_process_ip": rendezvous.address,
            "main_process_port": rendezvous.port,
            "rdzv_backend": "static",
            "same_network": True,
        }
    return yaml.safe_dump(config, sort_keys=False)


def check_installed(strategy: Strategy) -> None:
    """Refuse a strategy whose library this image lacks.

    Raises:
        BadConfig: DeepSpeed is asked for and is not there (reason InvalidSpec).
    """
    if strategy.startswith("deepspeed") and find_spec("deepspeed") is None:
        raise BadConfig(
            f"spec.training.strategy: {strategy} needs DeepSpeed, which is not installed here: use an image with "
            "reflect-operator[deepspeed], or fsdp",
            reason=Reason.INVALID_SPEC,
        )


def _strategy(settings: TrainingSettings) -> dict[str, Any]:
    if settings.strategy == "ddp":
        # With MULTI_CPU the launcher would start a single process, without a word. MULTI_GPU makes it use torch's own
        # launcher, and the processes themselves find out that there are no GPUs.
        return {"distributed_type": "MULTI_GPU" if settings.world_size > 1 else "NO"}
    if settings.strategy == "fsdp":
        return {"distributed_type": "FSDP", "fsdp_config": _fsdp()}
    stage = {"deepspeed-zero2": 2, "deepspeed-zero3": 3}[settings.strategy]
    return {"distributed_type": "DEEPSPEED", "deepspeed_config": _deepspeed(settings, stage)}


def _fsdp() -> dict[str, Any]:
    return {
        "fsdp_version": 2,
        # Layer by layer, as the model's class names its layers.
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_reshard_after_forward": True,
        # A checkpoint is whole on the first machine, which alone stores it.
        "fsdp_state_dict_type": "FULL_STATE_DICT",
        # Every process has read the model by then.
        "fsdp_cpu_ram_efficient_loading": False,
        "fsdp_offload_params": False,
    }


def _deepspeed(settings: TrainingSettings, stage: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "zero_stage": stage,
        "gradient_accumulation_steps": settings.rows_per_process // settings.micro_batch_size,
        "gradient_clipping": settings.max_grad_norm,
        "offload_optimizer_device": "none",
        "offload_param_device": "none",
    }
    if stage == 3:
        # The model has been read by then, so there is nothing to build in parts.
        config |= {"zero3_init_flag": False, "zero3_save_16bit_model": True}
    return config
