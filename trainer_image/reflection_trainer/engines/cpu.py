"""What vLLM needs on a machine without GPUs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psutil

from .invalid import invalid

if TYPE_CHECKING:
    from .model import ModelFolder

_LEAST_CACHE = 256 << 20
_SEQUENCES_IN_CACHE = 16
"""Full-length conversations that the cache should hold, so that batches stay large."""
_SHARE_OF_MEMORY = 4
"""At most a fourth of the free memory goes to the cache."""

ENVIRONMENT = {
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "TORCHDYNAMO_DISABLE": "1",
}
"""vLLM's variables, and torch's for it."""


def prepare_environment() -> None:
    """Set vLLM's variables: they count only when set before its first import; what is set already stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def check_attention(model: ModelFolder, *, instead: str = "spec.rollout.engine: transformers") -> None:
    """Refuse attention heads that vLLM cannot compute on a processor: it would say so only at the first answer.

    `instead` is the setting to use.

    Raises:
        BadConfig: the model has such heads (reason InvalidModel).
    """
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    sizes = CPUAttentionBackend.get_supported_head_sizes()
    if model.head_size not in sizes:
        raise invalid(
            model.uri,
            f"has attention heads of {model.head_size} numbers, and vLLM computes heads of {', '.join(map(str, sizes))} "
            f"on a processor: set {instead}, or use GPUs or another model",
        )


def engine_arguments(
    *, context_length: int, cache_bytes_per_token: int, alike: bool = False
) -> dict[str, Any]:
    """Arguments of vLLM's engine that differ from its defaults on a processor.

    Args:
        context_length: tokens of the longest conversation.
        cache_bytes_per_token: of the model's keys or values.
        alike: the cache is as large whatever memory is free, so that the same prompts are computed in the same batches.
    """
    one = 2 * context_length * cache_bytes_per_token
    wanted = max(_LEAST_CACHE, _SEQUENCES_IN_CACHE * one)
    allowed = wanted if alike else psutil.virtual_memory().available // _SHARE_OF_MEMORY
    return {
        "dtype": "float32",
        "enforce_eager": True,
        # Never less than one conversation of full length, and not more than memory allows.
        "kv_cache_memory_bytes": max(one, min(allowed, wanted)),
        # A seed per request raises "CPU Generator does not use offset" as soon as a prompt is prefilled in pieces.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(context_length, 8192),
    }
