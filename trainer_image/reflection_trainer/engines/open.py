"""From a name to a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .model import inspect_model

if TYPE_CHECKING:
    from reflection_api.spec.rollout import EngineName

    from .engine import Engine


def open_engine(
    name: EngineName,
    model_dir: Path,
    *,
    tensor_parallel_size: int = 1,
    gpus: int = 0,
    max_model_len: int | None = None,
    trust_remote_code: bool = False,
) -> Engine:
    """Load a model into the engine of that name.

    Args:
        name: vllm or transformers.
        model_dir: folder in Hugging Face format.
        tensor_parallel_size: processes that share one copy of the model (vLLM).
        gpus: GPUs that may be used; 0 is the processor.
        max_model_len: most tokens of a conversation with its answer, to save memory; default: the model's context.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        BadConfig: the model cannot be used (reason InvalidModel), or the engine is not installed.
    """
    model = inspect_model(model_dir, uri=str(model_dir), trust_remote_code=trust_remote_code)
    context_length = min(max_model_len or model.context_length, model.context_length)
    if name == "vllm":
        from .vllm_engine import VllmEngine

        return VllmEngine(
            model,
            context_length=context_length,
            tensor_parallel_size=tensor_parallel_size,
            gpus=gpus,
            trust_remote_code=trust_remote_code,
        )
    from .transformers_engine import TransformersEngine

    return TransformersEngine(
        model, context_length=context_length, gpus=gpus, trust_remote_code=trust_remote_code
    )
