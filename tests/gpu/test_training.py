"""The train stage on one GPU: every strategy, both ways to sample, bf16; saved, gone on from, published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reflection_trainer.train.metrics import read_metrics
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ..integration.train.test_stage import (
    FOLDER,
    assert_gone,
    family,
    outcomes,
    prepared,
    steps_done,
    wait_until,
)  # fmt: skip
from ..support.stage_runs import run_stage, start_stage

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

STRATEGIES = ("ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3")
SETTINGS: dict[str, Any] = {
    "gpusPerNode": 1,
    "maxSteps": 6,
    "reflectionMaxTokens": 16,
    "checkpoint": {"everySteps": 3},
}
LORA = {"rank": 4}


def trained(folder: Path, model: Path, **settings: Any) -> Path:
    """The train folder of a run of its own."""
    run = run_stage(prepared(folder, model, **SETTINGS | settings), folder / "scratch", timeout=800)
    assert run.exit_code == 0, run.stderr
    return folder / "storage" / FOLDER


def distance(one: Path, other: Path) -> float:
    """The largest difference between two models' weights."""
    ours, theirs = (load_file(path / "model.safetensors") for path in (one, other))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name].float() - theirs[name].float()).abs().max()) for name in ours)


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("generation", ["transformers", "colocate"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_bf16_trains_and_publishes(tmp_path, model, strategy, generation, lora):
    folder = trained(tmp_path, model, strategy=strategy, generation=generation, lora=lora, precision="bf16")
    found = AutoModelForCausalLM.from_pretrained(folder / "model", dtype="auto")
    assert found.dtype == torch.bfloat16, "the type that the model came with"
    assert distance(folder / "model", model) > 0
    lines = read_metrics(folder / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 7))
    if generation == "colocate":
        assert all(line["samplingGap"] < 0.5 for line in lines), "a token's log-probability there and here"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A training in fp32 that holds everything in one process."""
    return trained(tmp_path_factory.mktemp("plain"), model, precision="fp32", generation="transformers")


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_killed_and_resumed_it_ends_where_ddp_does(tmp_path, model, plain, strategy):
    config = prepared(
        tmp_path, model, **SETTINGS, strategy=strategy, precision="fp32", generation="transformers"
    )
    storage = tmp_path / "storage" / FOLDER
    first = start_stage(config, tmp_path / "1")
    wait_until(lambda: list(storage.glob("checkpoint-*/manifest.json")), first)
    assert steps_done(tmp_path / "1") < SETTINGS["maxSteps"]
    processes = family(first)
    first.kill()
    first.communicate()
    assert_gone(processes)
    second = run_stage(config, tmp_path / "2", timeout=800)
    assert second.exit_code == 0, second.stderr
    assert "going on from checkpoint-" in second.stderr
    assert distance(storage / "model", plain / "model") <= 0.05 * distance(plain / "model", model)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("dead", ["drop", "refill"])
def test_groups_that_teach_nothing_are_left_out(tmp_path, model, strategy, dead):
    method = {"numGenerations": 4, "deadGroups": dead}
    trained(tmp_path, model, strategy=strategy, method=method, generation="transformers")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU: two are needed")
@pytest.mark.parametrize("generation", ["transformers", "colocate"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_gpus_train_one_model(tmp_path, model, strategy, generation):
    """One of three groups is half the one's and half the other's, and live ones are dealt anew."""
    changes = {"failuresPerStep": 3, "method": {"numGenerations": 4, "deadGroups": "drop"}}
    folder = trained(tmp_path, model, gpusPerNode=2, strategy=strategy, generation=generation, **changes)
    found = outcomes(tmp_path / "scratch")
    assert [outcome.processes for outcome in found] == [2, 2]
    assert len({outcome.checksum for outcome in found}) == 1
    assert distance(folder / "model", model) > 0
