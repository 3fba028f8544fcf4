"""The policy's weights as another program loads them: whole, adapters merged in, one at a time, named as in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer


@torch.no_grad()
def merged_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """All parameters of a model in training. The model itself is not changed: merging adapters into it and taking them out
    again would leave rounding errors in it at every step.
    """
    if not isinstance(model, PeftModel):
        yield from model.named_parameters()
        return
    base: Any = model.base_model.model
    layers = {name: module for name, module in base.named_modules() if isinstance(module, BaseTunerLayer)}
    for name, parameter in base.named_parameters():
        layer, marked, rest = name.partition(".base_layer.")
        if marked:
            yield f"{layer}.{rest}", _merged(layers[layer], parameter) if rest == "weight" else parameter
        elif not any(name.startswith(f"{adapted}.") for adapted in layers):
            yield name, parameter


def _merged(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    for adapter in layer.active_adapters:
        weight = weight + layer.get_delta_weight(adapter).to(weight.dtype)
    return weight
