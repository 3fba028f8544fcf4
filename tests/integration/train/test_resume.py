"""A resumed training is the same training: bit for bit, in the first pass over the data and in later ones."""

from __future__ import annotations

import json

import pytest
import torch
from reflection_trainer.train.metrics import read_metrics

from .sessions import open_session, run_session

pytestmark = pytest.mark.training

# Ten failures, four a step: step 2 is still in the first pass, the second begins within step 3, the third within step 6.
SETTINGS = {"maxSteps": 7, "count": 10, "retryMaxTokens": 1, "checkpoint": {"everySteps": 1}}


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": "cosine", "warmupRatio": 0.3},
        {"microBatchSize": 4, "method": {"beta": 0.05}},
        {"lora": {"rank": 4}, "learningRate": 0.1},
        {"gradientCheckpointing": True, "method": {"lossType": "dapo", "beta": 0}},
        {"count": 3, "failuresPerStep": 5},
        {"method": {"deadGroups": "refill", "numGenerations": 4}, "learningRate": 0.05},
        {"method": {"deadGroups": "drop", "numGenerations": 4}, "microBatchSize": 2, "count": 30},
        {"method": {"creditScope": "reflectionAndRetry", "positiveOnly": True}},
        {"method": {"retriesPerReflection": 3}},
    ],
    ids=[
        "schedule",
        "accumulation",
        "lora",
        "recomputation",
        "fewer failures than a step takes",
        "refilled",
        "dropped",
        "retries too, positive only",
        "several retries",
    ],
)
def test_from_any_checkpoint_the_weights_end_the_same(tmp_path, model, settings):
    settings = SETTINGS | settings
    whole = open_session(tmp_path / "whole", model, **settings)
    kept = tmp_path / "kept"
    expected = run_session(whole, kept)
    expected_lines = timeless(read_metrics(whole._order.metrics))
    if settings.get("method", {}).get("deadGroups") == "refill":
        assert sum(line["groups"] for line in expected_lines) > 7 * 4, "nothing was refilled"
    for step in (1, 3, 6):
        resumed = open_session(
            tmp_path / f"from-{step}", model, resume_from=kept / f"checkpoint-{step}", **settings
        )
        found = run_session(resumed)
        assert found.keys() == expected.keys()
        different = [name for name in expected if not torch.equal(found[name], expected[name])]
        assert not different, f"resumed from step {step}: {different[:3]}"
        assert timeless(read_metrics(resumed._order.metrics)) == expected_lines


def timeless(lines):
    return [{name: value for name, value in line.items() if "econds" not in name} for line in lines]


def test_a_checkpoint_does_not_grow_with_the_steps_before_it(tmp_path, model):
    run_session(open_session(tmp_path, model, **SETTINGS))
    histories = [
        json.loads((tmp_path / "kept" / f"checkpoint-{step}" / "trainer_state.json").read_text())[
            "log_history"
        ]
        for step in (1, 7)
    ]
    assert histories == [[], []]


def test_two_equal_trainings_are_equal_and_another_seed_is_not(tmp_path, model):
    one, two, other = (
        run_session(open_session(tmp_path / name, model, seed=seed, maxSteps=2))
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
