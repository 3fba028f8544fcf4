"""Only reflection tokens are trained: exactly, not nearly. Training steps on a tiny model, looked at from inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from reflection_trainer.train.reflect_retry import Trial
from reflection_trainer.train.session import Session

from .sessions import Probe, open_session, reward, reward_every_other_row, run_session, steps_of

pytestmark = pytest.mark.training
Rollout = Callable[[list, Any], dict[str, Any]]


def one_step(
    tmp_path: Path, model: Path, change: Callable[[Rollout, Probe], Rollout] | None = None, **training: Any
) -> Probe:
    session = open_session(tmp_path, model, maxSteps=1, failuresPerStep=8, retryMaxTokens=1, **training)
    probe = Probe(session)
    if change:
        session.trainer.rollout_func = change(session.trainer.rollout_func, probe)
    reward_every_other_row(session)
    run_session(session)
    return probe


def check_only_reflections_are_trained(probe: Probe) -> None:
    """The tokens with a derivative are the sampled reflections: all of them, nothing else."""
    trained: Counter[tuple[int, ...]] = Counter()
    for inputs, logps in zip(probe.inputs, probe.logps, strict=True):
        mask = inputs["completion_mask"] * inputs.get("tool_mask", torch.ones_like(inputs["completion_mask"]))
        assert torch.all(logps.grad[mask == 0] == 0), "a token outside the mask has a derivative"
        live = (inputs["advantages"] != 0)[:, None] & (mask == 1)
        assert torch.all(logps.grad[live] != 0), "a token of a rewarded group has none"
        for ids, row in zip(inputs["completion_ids"], mask, strict=True):
            trained[tuple(ids[row == 1].tolist())] += 1
    assert trained == Counter(map(tuple, probe.reflections)), "what is trained is not what was reflected"


def test_only_the_sampled_reflections_have_a_derivative(tmp_path, model):
    probe = one_step(tmp_path, model)
    assert probe.inputs[0]["advantages"].abs().sum() > 0
    check_only_reflections_are_trained(probe)


@pytest.mark.parametrize("size", [1, 16])
def test_so_it_is_when_groups_span_micro_batches(tmp_path, model, size):
    check_only_reflections_are_trained(one_step(tmp_path, model, microBatchSize=size))


def test_the_batch_holds_nothing_of_the_retry(tmp_path, model):
    inputs = one_step(tmp_path, model).inputs[0]
    assert set(inputs) == {
        "prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages", "num_items_in_batch",
        "ref_per_token_logps",
    }  # fmt: skip
    assert not inputs["advantages"].requires_grad


def retry_in_the_completion(rollout: Rollout, probe: Probe) -> Rollout:
    """The mistake: the retry's tokens stand behind the reflection's, and nothing masks them."""

    def wrong(prompts: list, trainer: Any) -> dict[str, Any]:
        output = rollout(prompts, trainer)
        output["completion_ids"] = [
            [*trial.reflection.token_ids, *trial.retries[0].token_ids] for trial in probe.trials
        ]
        return output

    return wrong


def everything_in_the_mask(rollout: Rollout, probe: Probe) -> Rollout:
    """The same mistake by the way TRL offers: the whole transcript with a mask that says all of it is the model's."""

    def wrong(prompts: list, trainer: Any) -> dict[str, Any]:
        output = retry_in_the_completion(rollout, probe)(prompts, trainer)
        return output | {"env_mask": [[1] * len(ids) for ids in output["completion_ids"]]}

    return wrong


@pytest.mark.parametrize("mistake", [retry_in_the_completion, everything_in_the_mask])
def test_a_wrong_mask_is_noticed(tmp_path, model, mistake):
    probe = one_step(tmp_path, model, mistake)
    with pytest.raises(AssertionError, match="not what was reflected"):
        check_only_reflections_are_trained(probe)


def say_other_words(session: Session) -> None:
    """Other words in every retry; the verdicts are fixed by the test."""
    steps = steps_of(session)
    run = steps.run

    def changed(*args: Any) -> list[Trial]:
        return [
            replace(
                trial,
                retries=[replace(retry, text="blue one", token_ids=[10, 11]) for retry in trial.retries],
            )
            for trial in run(*args)
        ]

    steps.run = changed


def test_other_words_in_the_retry_leave_the_gradient_bit_for_bit(tmp_path, model):
    before, after = (
        gradients(tmp_path / name, model, change, verdicts=lambda row: row % 2)
        for name, change in (("a", None), ("b", say_other_words))
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_verdict_changes_the_gradient(tmp_path, model):
    before = gradients(tmp_path / "a", model, None, verdicts=lambda row: row % 2)
    after = gradients(tmp_path / "b", model, None, verdicts=lambda row: row % 3 == 0)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_without_any_reward_and_divergence_there_is_no_gradient_at_all(tmp_path, model):
    found = gradients(tmp_path, model, None, verdicts=lambda row: 0, method={"beta": 0})
    assert found
    assert all(torch.all(gradient == 0) for gradient in found.values())


def gradients(
    folder: Path,
    model: Path,
    change: Callable[[Session], None] | None,
    verdicts: Callable[[int], Any],
    **training: Any,
) -> dict[str, torch.Tensor]:
    session = open_session(folder, model, maxSteps=1, failuresPerStep=4, **training)
    probe = Probe(session)
    if change:
        change(session)
    reward(session, verdicts)
    run_session(session)
    return probe.gradients
