"""Every loss and every scaling takes a real step, and those that must agree while the policy is on its own data do."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from reflection_api.spec.training import LossType, RewardScaling

from .sessions import Probe, open_session, reward_every_other_row, run_session

pytestmark = pytest.mark.training


def gradients(folder: Path, model: Path, **method: object) -> dict[str, torch.Tensor]:
    session = open_session(folder, model, maxSteps=1, method={"beta": 0, **method})
    reward_every_other_row(session)
    probe = Probe(session)
    run_session(session)
    return probe.gradients


def flat(values: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.flatten() for value in values.values()])


@pytest.mark.parametrize("scaling", get_args(RewardScaling))
@pytest.mark.parametrize("loss", get_args(LossType))
def test_every_loss_and_scaling_changes_the_weights(tmp_path, model, loss, scaling):
    session = open_session(tmp_path, model, method={"lossType": loss, "rewardScaling": scaling})
    before = {name: value.clone() for name, value in session.model.state_dict().items()}
    reward_every_other_row(session)
    after = run_session(session)
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("one", "other"), [("grpo", "gspo"), ("dapo", "cispo")])
def test_losses_that_differ_only_off_policy_agree_here(tmp_path, model, one, other):
    """One generation batch is one update, so importance ratios are 1: clipping and their level cannot matter."""
    first = flat(gradients(tmp_path / "a", model, lossType=one))
    second = flat(gradients(tmp_path / "b", model, lossType=other))
    assert first.norm() > 0
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("scaling", ["batch", "none"])
def test_scaling_by_the_deviation_only_stretches_the_gradient(tmp_path, model, scaling):
    """All groups have the same rewards here, so each scaling divides by one number."""
    group = flat(gradients(tmp_path / "a", model))
    other = flat(gradients(tmp_path / "b", model, rewardScaling=scaling))
    cosine = torch.nn.functional.cosine_similarity(group, other, dim=0)
    assert cosine == pytest.approx(1.0, abs=1e-5)
    assert (other.norm() < group.norm()) == (
        scaling == "none"
    )  # the deviation of 0 and 1 in turn is about a half


def test_micro_batches_only_split_the_work(tmp_path, model):
    """The same rows in one pass or in eight: the rows of a step are drawn before they are split."""
    whole = gradients_of_size(tmp_path / "a", model, 32)
    split = gradients_of_size(tmp_path / "b", model, 4)
    torch.testing.assert_close(whole, split, rtol=1e-4, atol=1e-7)


def gradients_of_size(folder: Path, model: Path, size: int) -> torch.Tensor:
    session = open_session(folder, model, maxSteps=1, microBatchSize=size, method={"beta": 0.1})
    reward_every_other_row(session)
    probe = Probe(session)
    run_session(session)
    return flat(probe.gradients)
