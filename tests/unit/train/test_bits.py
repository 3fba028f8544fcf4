"""Sums over bits: what they see, and what they are meant not to see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from reflection_trainer import bits
from reflection_trainer.bits import bit_sum

INTEGERS = {torch.float64: torch.int64, torch.float32: torch.int32, torch.bfloat16: torch.int16}
DTYPES = pytest.mark.parametrize("dtype", INTEGERS)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "_CACHED", 16)


def numbers(dtype: torch.dtype) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(7, 5).to(dtype)


def with_bits(tensor: torch.Tensor, change: Callable[[torch.Tensor], object]) -> torch.Tensor:
    """A copy whose bits, as whole numbers, were changed."""
    copy = tensor.clone()
    change(copy.view(INTEGERS[tensor.dtype]))
    return copy


@DTYPES
def test_the_last_bit_of_any_number_is_seen(dtype):
    tensor = numbers(dtype)
    changed = [
        with_bits(tensor, lambda found, place=place: found.view(-1)[place].add_(1)) for place in range(35)
    ]
    for placed in (False, True):
        sums = {int(bit_sum(each, placed=placed)) for each in (tensor, *changed)}
        assert len(sums) == 36


@DTYPES
def test_two_that_move_against_each_other_are_seen(dtype):
    """As a step does with two weights whose gradients have different signs: the plain sum of their bits is the same."""

    def against(found: torch.Tensor) -> None:
        found[0, 0] += 1
        found[3, 3] -= 1

    tensor = numbers(dtype)
    changed = with_bits(tensor, against)
    whole = INTEGERS[dtype]
    assert tensor.view(whole).sum() == changed.view(whole).sum()
    assert bit_sum(changed) != bit_sum(tensor)
    assert bit_sum(changed, placed=True) != bit_sum(tensor, placed=True)


@DTYPES
def test_a_place_is_seen_only_on_demand(dtype):
    tensor = numbers(dtype)
    swapped = tensor.clone()
    swapped[0, 0], swapped[6, 4] = tensor[6, 4], tensor[0, 0]
    assert not torch.equal(swapped, tensor)
    assert bit_sum(swapped) == bit_sum(tensor)
    assert bit_sum(swapped, placed=True) != bit_sum(tensor, placed=True)


@DTYPES
def test_neither_layout_nor_zeros_are_seen(dtype):
    tensor = numbers(dtype)
    padded = torch.cat([tensor[3:], tensor[:3], torch.zeros(4, 5, dtype=dtype)]).t()
    assert bit_sum(padded) == bit_sum(tensor)
    assert bit_sum(torch.zeros(0, dtype=dtype)) == 0


@DTYPES
def test_the_tensor_is_left_as_it_was(dtype):
    tensor = numbers(dtype)
    before = tensor.clone()
    bit_sum(tensor, placed=True)
    assert torch.equal(tensor, before)
