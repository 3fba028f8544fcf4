"""The policy's weights as another program loads them: whole, adapters merged in, one at a time, named as in a checkpoint.

With fsdp and deepspeed-zero3 a process holds a part of each. What gathers them is done by all processes together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch.distributed.tensor import DTensor

_ZERO3 = "ds_tensor"
"""DeepSpeed keeps a process's part of a parameter there, and leaves the parameter itself empty."""


@torch.no_grad()
def merged_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """All parameters of a model in training. The model itself is not changed: merging adapters into it and taking them out
    again would leave rounding errors in it at every step.
    """
    if not isinstance(model, PeftModel):
        yield from ((name, whole(parameter)) for name, parameter in model.named_parameters())
        return
    base: Any = model.base_model.model
    layers = {name: module for name, module in base.named_modules() if isinstance(module, BaseTunerLayer)}
    for name, parameter in base.named_parameters():
        layer, marked, rest = name.partition(".base_layer.")
        if marked and rest == "weight":
            yield f"{layer}.{rest}", _merged(layers[layer], parameter)
        elif marked:
            yield f"{layer}.{rest}", whole(parameter)
        elif not any(name.startswith(f"{adapted}.") for adapted in layers):
            yield name, whole(parameter)


def whole(parameter: torch.Tensor) -> torch.Tensor:
    """All of a parameter, of which this process may hold a part."""
    if isinstance(parameter, DTensor):
        return parameter.full_tensor()
    if not hasattr(parameter, _ZERO3):
        return parameter
    with _gathered([parameter]):
        return parameter.detach().clone()


def whole_state(model: Any, dtype: torch.dtype, *, keep: bool) -> dict[str, torch.Tensor]:
    """What a checkpoint of the model holds, in the main memory of the processes that `keep` it: elsewhere it is empty."""
    state: dict[str, torch.Tensor] = {}
    for name, weight in merged_weights(model):
        if keep:
            state[name] = weight.detach().to("cpu", dtype)
    base: Any = model.base_model.model if isinstance(model, PeftModel) else model
    stored = base.state_dict().keys()
    for name, buffer in base.named_buffers():
        if keep and name in stored:
            kept = dtype if buffer.is_floating_point() else buffer.dtype
            state[name.replace(".base_layer.", ".")] = buffer.detach().to("cpu", kept)
    return state


def _merged(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    with _gathered([weight, *(part for name, part in layer.named_parameters() if name.startswith("lora_"))]):
        for adapter in layer.active_adapters:
            weight = weight + layer.get_delta_weight(adapter).to(weight.dtype)
    return whole(weight)


def _gathered(parameters: Sequence[torch.Tensor]) -> AbstractContextManager[Any]:
    """Inside it, what deepspeed-zero3 has spread over the processes is whole."""
    spread = [parameter for parameter in parameters if hasattr(parameter, _ZERO3)]
    if not spread:
        return nullcontext()
    from deepspeed.zero import GatheredParameters

    gathered: AbstractContextManager[Any] = GatheredParameters(spread)
    return gathered
