"""Sums over the bits of many numbers, by which two copies of a model's weights are told apart."""

from __future__ import annotations

import torch

_INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}
_CACHED, _LARGE = 1 << 16, 1 << 24
"""Numbers that are mixed at a time, an int64 for each: on a processor what its cache holds, on a GPU enough to keep it busy."""
_FIRST, _SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47
"""Odd, so that multiplying by one loses nothing: 0x9E3779B97F4A7C15 and 0xBF58476D1CE4E5B9, as int64 has them."""
_SHIFT = 29


@torch.no_grad()
def bit_sum(tensor: torch.Tensor, *, placed: bool = False) -> torch.Tensor:
    """The sum of all numbers' bits, each mixed before it is added. A number whose bits are all 0 adds nothing.

    Unmixed, one number that a step raises by a bit makes up for another that it lowers: of the few that an update moves in
    bf16, that is no rare chance.

    Args:
        tensor: the numbers.
        placed: whether it matters where in the tensor a number stands.
    """
    exact = tensor.detach().contiguous()
    bits = exact.view(_INTEGERS[exact.element_size()]).flatten()
    total = torch.zeros((), dtype=torch.int64, device=bits.device)
    size = _CACHED if bits.device.type == "cpu" else _LARGE
    for start in range(0, bits.numel(), size):
        part = bits[start : start + size].to(torch.int64, copy=True)
        if placed:
            part += torch.arange(start + 1, start + 1 + part.numel(), device=part.device) << 32
        total += _mixed(part).sum()
    return total


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    """Another number for each, in which every bit depends on all; 0 for 0. The argument is used up."""
    numbers *= _FIRST
    numbers ^= numbers >> _SHIFT
    numbers *= _SECOND
    numbers ^= numbers >> _SHIFT
    return numbers
