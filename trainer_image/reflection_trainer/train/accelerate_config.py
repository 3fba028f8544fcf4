"""The file that tells accelerate's launcher what to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from reflection_api.contract import TrainingSettings


@dataclass(frozen=True)
class Rendezvous:
    """Where the machines of a training meet."""

    address: str
    port: int


def accelerate_config(settings: TrainingSettings, node: int, rendezvous: Rendezvous | None) -> str:
    """The YAML of `accelerate launch --config_file`.

    `rendezvous` is None for a training on one machine, whose port accelerate then chooses.
    """
    several = settings.world_size > 1
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        # With MULTI_CPU the launcher would start a single process, without a word. MULTI_GPU makes it use torch's own
        # launcher, and the processes themselves find out that there are no GPUs.
        "distributed_type": "MULTI_GPU" if several else "NO",
        "use_cpu": settings.gpus_per_node == 0,
        "mixed_precision": "bf16" if settings.precision == "bf16" else "no",
        "num_machines": settings.nodes,
        "machine_rank": node,
        "num_processes": settings.world_size,
        "main_training_function": "main",
        "main_process_port": 0,
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
