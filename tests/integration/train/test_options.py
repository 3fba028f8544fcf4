"""What each option of the method does to advantages and gradients: real steps on a tiny model, looked at from inside."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from reflection_api.spec.training import LossType, RewardScaling
from reflection_trainer.train import trainer
from reflection_trainer.train.metrics import read_metrics
from reflection_trainer.train.trl_adapter import TrlGenerator

from .sessions import Probe, open_session, reward, run_session, steps_of

pytestmark = pytest.mark.training

GROUP = 4
DEAD = (1, 2)
"""Of the four groups of a step, those whose rows all earn the same; the one nothing, the other everything."""


def some_dead(row: int) -> float:
    group = row // GROUP % 4
    return float(DEAD.index(group)) if group in DEAD else float(row % 2)


def one_step(folder: Path, model: Path, rewards=some_dead, method: Any = None, **training: Any) -> Probe:
    settings = {"maxSteps": 1, "microBatchSize": GROUP, "maxGradNorm": 1000} | training
    method = {"numGenerations": GROUP, "beta": 0} | (method or {})
    session = open_session(folder, model, method=method, **settings)
    probe = Probe(session)
    reward(session, rewards)
    run_session(session)
    probe.session = session
    return probe


def flat(probe: Probe) -> torch.Tensor:
    return torch.cat([value.flatten() for value in probe.gradients.values()])


def trained(probe: Probe) -> Counter[tuple[int, ...]]:
    """The completions with a derivative that is not zero."""
    found: Counter[tuple[int, ...]] = Counter()
    for inputs, logps in zip(probe.inputs, probe.logps, strict=True):
        for ids, mask, gradient in zip(
            inputs["completion_ids"], inputs["completion_mask"], logps.grad, strict=True
        ):
            if gradient.abs().sum() > 0:
                found[tuple(ids[mask == 1].tolist())] += 1
    return found


def reflections(probe: Probe, groups: set[int]) -> Counter[tuple[int, ...]]:
    chosen = [trial for row, trial in enumerate(probe.trials) if row // GROUP in groups]
    return Counter(tuple(trial.reflection.token_ids) for trial in chosen)


ASKED_TO_REFLECT = 3
"""Turns of a conversation up to the request to reflect."""
LIVE = {0, 3}


def test_nobody_is_warned_of_rows_that_are_left_out_on_purpose(tmp_path, model, caplog):
    warned = logging.getLogger("trl.trainer.grpo_trainer")
    warned.addHandler(caplog.handler)
    try:
        one_step(tmp_path, model, method={"deadGroups": "drop"}, microBatchSize=16)
    finally:
        warned.removeHandler(caplog.handler)
    assert "reward" not in caplog.text


def test_kept_dead_groups_take_part_in_the_divergence_and_in_the_mean(tmp_path, model):
    probe = one_step(tmp_path, model, method={"beta": 0.1}, maxSteps=1)
    assert len(probe.inputs) == 4
    assert sum(inputs["completion_mask"].shape[0] for inputs in probe.inputs) == 16


def test_dropped_ones_take_part_in_nothing_and_pass_through_no_model(tmp_path, model):
    probe = one_step(tmp_path, model, method={"beta": 0.1, "deadGroups": "drop"})
    assert len(probe.inputs) == 2, "half of the micro-batches are passed over"
    assert trained(probe) == reflections(probe, LIVE)
    line = read_metrics(probe.session._order.metrics)[0]
    assert (line["groups"], line["deadGroupShare"], line["allWrongShare"]) == (4, 0.5, 0.25)
    assert line["reward"] == 0.5, "of all that was sampled"


@pytest.mark.parametrize("loss", get_args(LossType))
def test_the_loss_is_a_mean_over_what_is_left(tmp_path, model, loss):
    """Without a divergence the dead groups' own share is nought, so that dropping them only stretches the gradient."""
    kept = flat(one_step(tmp_path / "keep", model, method={"lossType": loss}))
    dropped = flat(one_step(tmp_path / "drop", model, method={"lossType": loss, "deadGroups": "drop"}))
    assert kept.norm() > 0
    if loss in ("dapo", "cispo"):  # by tokens, which dead and live groups have unequal numbers of
        assert torch.nn.functional.cosine_similarity(kept, dropped, dim=0) == pytest.approx(1, abs=1e-5)
        assert dropped.norm() > kept.norm()
    elif loss == "bnpo":  # by the tokens of a micro-batch: other rows are together now
        assert torch.nn.functional.cosine_similarity(kept, dropped, dim=0) > 0.8
    else:
        torch.testing.assert_close(dropped, 2 * kept, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scaling", get_args(RewardScaling))
@pytest.mark.parametrize("size", [2, 8, 16])
def test_so_it_is_whatever_the_micro_batch(tmp_path, model, size, scaling):
    """With 16 there is only one: the dead rows stay in it, masked."""
    one, other = (
        flat(
            one_step(
                tmp_path / str(number),
                model,
                method={"deadGroups": "drop", "beta": 0.1, "rewardScaling": scaling},
                microBatchSize=number,
            )
        )
        for number in (GROUP, size)
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_with_bnpo_a_micro_batch_weighs_as_much_as_is_live_in_it(tmp_path, model, monkeypatch):
    """Three live groups fill a micro-batch and a half; the other half is a dead one."""
    monkeypatch.setattr(trainer, "shuffle_sequence_dict", lambda batch: batch)
    method = {"deadGroups": "drop", "lossType": "bnpo"}
    probe = one_step(
        tmp_path, model, lambda row: row >= GROUP and row % 2, method=method, microBatchSize=2 * GROUP
    )
    live = [int(inputs["completion_mask"].any(dim=1).sum()) for inputs in probe.inputs]
    assert live == [2 * GROUP, GROUP]
    for rows, inputs, logps in zip(live, probe.inputs, probe.logps, strict=True):
        mask = inputs["completion_mask"]
        expected = -inputs["advantages"][:, None] * mask / mask.sum() * rows / (3 * GROUP)
        torch.testing.assert_close(logps.grad, expected, rtol=1e-4, atol=1e-7)


def test_where_all_are_dead_the_gradient_is_nought(tmp_path, model):
    for mode, scaling in product(("drop", "refill"), get_args(RewardScaling)):
        method = {"deadGroups": mode, "beta": 0.1, "rewardScaling": scaling}
        probe = one_step(tmp_path / mode / scaling, model, lambda row: 0, method=method)
        assert len(probe.inputs) == 1
        assert torch.all(flat(probe) == 0)


def test_refilled_places_are_trained(tmp_path, model):
    """The rewards of the first draw leave two groups dead; of the second, four rows each, none."""
    rewards = iter([[some_dead(row) for row in range(16)], [float(row % 2) for row in range(8)]])
    session = open_session(
        tmp_path,
        model,
        maxSteps=1,
        microBatchSize=GROUP,
        method={"numGenerations": GROUP, "beta": 0, "deadGroups": "refill"},
    )
    probe = Probe(session)
    steps_of(session)._reward.score = lambda *_: next(rewards)
    run_session(session)
    assert len(probe.inputs) == 4
    assert trained(probe) == reflections(probe, {*LIVE, 4, 5})
    assert session._deck.position == 6
    assert read_metrics(session._order.metrics)[0]["groups"] == 6


def test_positive_only_leaves_what_failed_alone(tmp_path, model):
    plain, positive = (
        one_step(tmp_path / str(only), model, lambda row: row % 2, method={"positiveOnly": only})
        for only in (False, True)
    )
    assert all((inputs["advantages"] < 0).any() for inputs in plain.inputs)
    for inputs, others in zip(positive.inputs, plain.inputs, strict=True):
        assert torch.equal(inputs["advantages"], others["advantages"].clamp(min=0))
    won = Counter(tuple(trial.reflection.token_ids) for row, trial in enumerate(positive.trials) if row % 2)
    assert trained(positive) == won


def test_credit_for_the_retry_trains_it_in_its_own_conversation(tmp_path, model):
    method = {"creditScope": "reflectionAndRetry"}
    probe = one_step(tmp_path, model, lambda row: row % 2, method=method)
    assert len(probe.inputs) == 8, "twice the rows at the same micro-batch"
    expected = Counter(
        (tuple(sample.prompt_ids), tuple(sample.token_ids))
        for trial in probe.trials
        for sample in (trial.reflection, *trial.retries)
    )
    found: Counter[tuple[tuple[int, ...], tuple[int, ...]]] = Counter()
    advantages = {}
    for inputs, logps in zip(probe.inputs, probe.logps, strict=True):
        for row in range(GROUP):
            prompt = tuple(inputs["prompt_ids"][row][inputs["prompt_mask"][row] == 1].tolist())
            mask = inputs["completion_mask"][row] == 1
            words = tuple(inputs["completion_ids"][row][mask].tolist())
            assert torch.all(logps.grad[row][mask] != 0)
            assert torch.all(logps.grad[row][~mask] == 0)
            found[prompt, words] += 1
            advantages.setdefault((prompt, words), set()).add(round(float(inputs["advantages"][row]), 4))
    assert found == expected
    for row, trial in enumerate(probe.trials):
        sign = 1 if row % 2 else -1
        for sample in (trial.reflection, trial.retries[0]):
            assert sign in {
                (value > 0) - (value < 0)
                for value in advantages[tuple(sample.prompt_ids), tuple(sample.token_ids)]
            }


def test_a_retry_that_found_no_room_is_not_trained(tmp_path, model, monkeypatch):
    """The token that stands for it was never sampled. What the others earned is compared with what it earned."""
    generate = TrlGenerator.generate

    def without_room(self, conversations, max_new_tokens):
        samples = generate(self, conversations, max_new_tokens)
        retries = len(conversations[0]) > ASKED_TO_REFLECT
        return [replace(samples[0], sampled=False), *samples[1:]] if retries else samples

    monkeypatch.setattr(TrlGenerator, "generate", without_room)
    method = {"creditScope": "reflectionAndRetry"}
    probe = one_step(tmp_path, model, lambda row: row % 2, method=method)
    lost, *retries = (trial.retries[0] for trial in probe.trials)
    assert (lost.sampled, all(retry.sampled for retry in retries)) == (False, True)
    texts = [*(trial.reflection for trial in probe.trials), *retries]
    assert trained(probe) == Counter(tuple(sample.token_ids) for sample in texts)
    advantages = torch.cat([inputs["advantages"] for inputs in probe.inputs]).abs()
    torch.testing.assert_close(advantages, advantages.max().expand_as(advantages))


def test_the_reflections_gradient_is_the_same_with_credit_for_the_retry_beside_it(tmp_path, model):
    """The mean is over twice the rows, half of them the reflections: their part is half of what it is alone."""
    alone = one_step(tmp_path / "alone", model, lambda row: row % 2)
    both = one_step(
        tmp_path / "both", model, lambda row: row % 2, method={"creditScope": "reflectionAndRetry"}
    )
    assert [trial.reflection for trial in alone.trials] == [trial.reflection for trial in both.trials]
    assert not torch.allclose(flat(alone), flat(both), rtol=1e-2)
    lengths = {tuple(trial.reflection.prompt_ids) for trial in alone.trials}
    share = 0.0
    for inputs, logps in zip(both.inputs, both.logps, strict=True):
        for row in range(GROUP):
            if tuple(inputs["prompt_ids"][row][inputs["prompt_mask"][row] == 1].tolist()) in lengths:
                share += float(logps.grad[row].abs().sum())
    whole = sum(float(logps.grad.abs().sum()) for logps in alone.logps)
    assert share == pytest.approx(whole / 2, rel=1e-3)


def test_the_mean_of_several_retries_is_what_advantages_are_made_of(tmp_path, model):
    session = open_session(
        tmp_path,
        model,
        maxSteps=1,
        microBatchSize=16,
        maxGradNorm=1000,
        method={
            "numGenerations": GROUP,
            "retriesPerReflection": 3,
            "rewardScaling": "none",
            "lossType": "dr_grpo",
            "beta": 0,
        },
    )
    probe = Probe(session)
    steps_of(session)._reward._verifier.verify = right_by_number
    run_session(session)
    rewards = [trial.reward for trial in probe.trials]
    assert rewards == [
        (row % 3 + 1) / 3 if trial.reflection.finished else 0 for row, trial in enumerate(probe.trials)
    ]
    (inputs,) = probe.inputs
    assert inputs["completion_ids"].shape[0] == 16, "the retries are not trained"
    expected = torch.tensor(rewards).view(-1, GROUP)
    expected = (expected - expected.mean(1, keepdim=True)).flatten()
    assert len(expected.unique()) > 4, "more than right and wrong"
    torch.testing.assert_close(inputs["advantages"].sort().values, expected.sort().values)
    (logps,) = probe.logps
    # With this loss every token weighs the same: its derivative is its reflection's advantage, times one number for all.
    share = inputs["advantages"][:, None] * inputs["completion_mask"]
    factor = logps.grad.abs().max() / share.abs().max()
    assert factor > 0
    torch.testing.assert_close(logps.grad, -factor * share, rtol=1e-4, atol=1e-7)


def right_by_number(items: Any) -> list[Any]:
    """Of the retries after the reflection of row r, the first r % 3 + 1 are right."""
    numbers = [map(int, item.id.split("/")) for item in items]
    return [type("Verdict", (), {"correct": retry <= row % 3}) for row, retry in numbers]
