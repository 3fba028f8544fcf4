"""Sampling in transformers with a seed per row, so that an answer does not depend on what else is in its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

if TYPE_CHECKING:
    from reflection_api.spec.rollout import SamplingSpec


class SeededDraw(LogitsProcessor):
    """Turns greedy decoding into sampling: the Gumbel-max trick with one random generator per row.

    The argmax of log-probabilities plus independent Gumbel noise is distributed as a draw from them.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._generators = [torch.Generator(device=device).manual_seed(seed) for seed in seeds]
        self._device = device

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Add noise to the scores of shape (rows, vocabulary)."""
        del input_ids
        noise = torch.empty_like(scores)
        for row, generator in enumerate(self._generators):
            noise[row].exponential_(generator=generator)
        return scores.sub(noise.log_())  # type: ignore[return-value]  # a Tensor by its stubs


def draw(sampling: SamplingSpec, seeds: Sequence[int], device: torch.device) -> LogitsProcessorList:
    """Processors for `generate(do_sample=False)` that sample as the settings say."""
    processors = LogitsProcessorList()
    if sampling.temperature == 0:
        return processors
    if sampling.temperature != 1:
        processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(SeededDraw(seeds, device))
    return processors
