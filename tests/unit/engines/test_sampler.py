"""Sampling with a seed per row draws from the right distribution, whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from reflection_api.spec.rollout import SamplingSpec
from reflection_trainer.engines.sampler import draw

CPU = torch.device("cpu")
LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])
NO_IDS = torch.zeros(1, 1, dtype=torch.long)


def sample(sampling: SamplingSpec, rows: int, seed: int = 0) -> torch.Tensor:
    scores = LOGITS.repeat(rows, 1)
    seeds = list(range(seed, seed + rows))
    return draw(sampling, seeds, CPU)(NO_IDS, scores).argmax(-1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    rows = 20_000
    counts = torch.bincount(sample(SamplingSpec(temperature=temperature), rows), minlength=4)
    expected = torch.softmax(LOGITS / temperature, 0) * rows
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 16.3  # 0.1% of the distribution with three degrees of freedom


def test_a_row_does_not_depend_on_its_batch() -> None:
    together = sample(SamplingSpec(temperature=1.0), 64)
    alone = torch.cat([sample(SamplingSpec(temperature=1.0), 1, seed) for seed in range(64)])
    assert torch.equal(together, alone)


def test_a_row_goes_on_drawing() -> None:
    processors = draw(SamplingSpec(temperature=1.0), [7], CPU)
    steps = [int(processors(NO_IDS, LOGITS[None]).argmax()) for _ in range(50)]
    assert len(set(steps)) > 1


def test_top_k_and_top_p_cut_the_tail_off() -> None:
    assert set(sample(SamplingSpec(temperature=2.0, top_k=2), 500).tolist()) == {0, 1}
    assert set(sample(SamplingSpec(temperature=1.0, top_p=0.6), 500).tolist()) == {0}


def test_greedy_decoding_draws_nothing() -> None:
    assert list(draw(SamplingSpec(temperature=0), [0], CPU)) == []


def test_the_scores_of_the_model_are_left_as_they_are() -> None:
    scores = LOGITS[None].clone()
    draw(SamplingSpec(temperature=1.0), [0], CPU)(NO_IDS, scores)
    assert torch.equal(scores[0], LOGITS)
