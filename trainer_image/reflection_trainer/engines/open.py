"""From a model's folder to a loaded model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reflection_api.reasons import Reason

from ..errors import BadConfig, StageFailure, first_line, is_out_of_memory
from .invalid import invalid, quoted

if TYPE_CHECKING:
    from reflection_api.spec.rollout import EngineName

    from .engine import Engine
    from .model import ModelFolder

_REFUSALS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    ImportError,
)
"""What engines raise on a model that they do not take. Not RuntimeError: that is a machine in trouble, too."""


def open_engine(
    name: EngineName,
    model: ModelFolder,
    *,
    tensor_parallel_size: int = 1,
    gpus: int = 0,
    max_model_len: int | None = None,
) -> Engine:
    """Load a model into the engine of that name.

    Args:
        name: vllm or transformers.
        model: as `inspect_model` found it.
        tensor_parallel_size: processes that share one copy of the model (vLLM).
        gpus: GPUs that may be used; 0 is the processor.
        max_model_len: most tokens of a conversation with its answer, to save memory; default: the model's context.

    Raises:
        BadConfig: the engine does not take the model (reason InvalidModel), is not installed, or cannot be shared among that
            many processes.
        StageFailure: there is too little memory.
    """
    if model.attention_heads % tensor_parallel_size:
        raise BadConfig(
            f"spec.rollout.tensorParallelSize: {tensor_parallel_size} does not divide the {model.attention_heads} attention "
            f"heads of model {model.uri}: use a number that does",
            reason=Reason.INVALID_SPEC,
        )
    context_length = min(max_model_len or model.context_length, model.context_length)
    with told(name, model):
        return _opened(name, model, context_length, tensor_parallel_size, gpus)


@contextmanager
def told(name: EngineName, model: ModelFolder, *, instead: str = "") -> Iterator[None]:
    """Say in a sentence why an engine does not load a model; `instead` is a setting that may help.

    Raises:
        BadConfig: the engine does not take the model (reason InvalidModel).
        StageFailure: there is too little memory.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error) or _no_room(error):
            remedy = f"; give it more, or set {instead}" if instead else ""
            raise StageFailure(
                f"spec.model.uri: {model.uri} does not fit into memory: {first_line(error)}{remedy}",
                reason=Reason.OUT_OF_MEMORY,
            ) from error
        if isinstance(error, _REFUSALS):
            raise invalid(model.uri, f"cannot be loaded by the engine {name}: {quoted(error)}") from error
        raise


def _opened(name: EngineName, model: ModelFolder, context_length: int, processes: int, gpus: int) -> Engine:
    if name == "vllm":
        from .vllm_engine import VllmEngine

        return VllmEngine(model, context_length=context_length, tensor_parallel_size=processes, gpus=gpus)
    from .transformers_engine import TransformersEngine

    return TransformersEngine(model, context_length=context_length, gpus=gpus)


def _no_room(error: Exception) -> bool:
    """Whether vLLM found too little memory for weights or cache, which it says with a ValueError."""
    return isinstance(error, ValueError) and "memory" in str(error).lower()
