"""vLLM inside the training of a whole stage, as a process: killed and resumed, stale, and in two processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.train.metrics import read_metrics

from ...support.stage_runs import run_stage
from . import tiny
from .stages import FOLDER, digest, prepared
from .test_killed import killed_after
from .test_stage import outcomes

pytestmark = [pytest.mark.training, pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]

STALE = {"PYTHONPATH": str(Path(__file__).parents[2] / "support" / "stale_policy")}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vLLM attends with heads of 32 numbers and more."""
    return tiny.write_model(tmp_path_factory.mktemp("colocated"), head_dim=32)


def test_killed_and_resumed_it_ends_with_the_same_weights(tmp_path, model):
    settings = {"generation": "colocate", "maxSteps": 12, "checkpoint": {"everySteps": 2}}
    settings |= {"method": {"numGenerations": 4, "deadGroups": "refill"}, "retryMaxTokens": 1}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run = run_stage(prepared(whole, model, **settings), whole / "scratch")
    assert run.exit_code == 0, run.stderr

    config, storage = prepared(broken, model, **settings), broken / "storage" / FOLDER
    killed_after(2, config, broken / "1", storage)
    last = run_stage(config, broken / "2")
    assert last.exit_code == 0, last.stderr
    assert "going on from checkpoint-" in last.stderr
    lines, expected = (
        read_metrics(folder / "storage" / FOLDER / "metrics.jsonl") for folder in (broken, whole)
    )
    assert [line["reward"] for line in lines] == [line["reward"] for line in expected]
    assert digest(storage) == digest(whole / "storage" / FOLDER)


def test_a_policy_that_is_stale_ends_the_stage_for_good(tmp_path, model):
    settings = {"generation": "colocate", "maxSteps": 4, "checkpoint": {"everySteps": 1}}
    config = prepared(tmp_path, model, **settings, method={"deadGroups": "refill"})
    run = run_stage(config, tmp_path / "scratch", environment=STALE)
    assert (run.exit_code, run.result.outcome, run.result.reason) == (70, "Failed", Reason.POLICY_STALE)
    assert run.result.message.startswith("after step 1 vLLM does not sample with the weights in training")
    storage = tmp_path / "storage" / FOLDER
    assert (storage / "checkpoint-1" / "manifest.json").exists(), "the message calls it sound"
    assert not (storage / "model").exists()


def test_two_processes_have_an_engine_each(tmp_path, model):
    """One of three groups is half the one's and half the other's, and live ones are dealt anew."""
    config = prepared(
        tmp_path,
        model,
        generation="colocate",
        processesPerNode=2,
        failuresPerStep=3,
        microBatchSize=4,
        maxSteps=2,
        method={"deadGroups": "refill"},
    )
    run = run_stage(config, tmp_path / "scratch")
    assert run.exit_code == 0, run.stderr
    found = outcomes(tmp_path / "scratch")
    assert [outcome.processes for outcome in found] == [2, 2]
    assert len({outcome.checksum for outcome in found}) == 1
    lines = read_metrics(tmp_path / "storage" / FOLDER / "metrics.jsonl")
    assert all(line["samplingGap"] < 1e-4 for line in lines)
