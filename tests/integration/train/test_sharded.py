"""A model that is shared out over processes (fsdp) is trained, saved, gone on from and published as one that each holds whole.

It needs no GPU: tests/support/sharded_on_cpu. DeepSpeed is not installed here; tests/gpu has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reflection_trainer.train.metrics import read_metrics
from safetensors.torch import load_file

from ...support.stage_runs import run_stage, start_stage
from . import tiny
from .test_stage import FOLDER, assert_gone, family, outcomes, prepared, steps_done, wait_until

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

SHARDED = {"PYTHONPATH": str(Path(__file__).parents[2] / "support" / "sharded_on_cpu")}
SETTINGS: dict[str, Any] = {
    "processesPerNode": 2,
    "maxSteps": 8,
    "checkpoint": {"everySteps": 3},
    # Long enough for one process's texts to end before the other's, with the layers still to be gathered.
    "reflectionMaxTokens": 40,
    "maxGradNorm": 100,
}
TRAINED: dict[str, dict[str, Any]] = {
    "adapters": {"lora": {"rank": 4}},
    "all weights": {},
    # For one dead group two reflections are sampled: one process has none, and gathers the layers as often as the others.
    "groups in unequal parts": {
        "processesPerNode": 3,
        "failuresPerStep": 3,
        "method": {"numGenerations": 2, "deadGroups": "refill"},
    },
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model"), context=256)


@pytest.mark.parametrize("trained", TRAINED.values(), ids=TRAINED)
def test_killed_and_resumed_it_ends_with_the_weights_of_ddp(tmp_path, model, trained):
    settings = SETTINGS | trained
    processes = settings["processesPerNode"]
    whole = tmp_path / "ddp"
    run = run_stage(prepared(whole, model, **settings), whole / "scratch")
    assert run.exit_code == 0, run.stderr

    config = prepared(tmp_path, model, **settings, strategy="fsdp")
    storage = tmp_path / "storage" / FOLDER
    first = start_stage(config, tmp_path / "1", environment=SHARDED)
    wait_until(lambda: list(storage.glob("checkpoint-*/manifest.json")), first)
    killed_at = steps_done(tmp_path / "1")
    started = family(first)
    first.kill()
    first.communicate()
    assert_gone(started)
    assert killed_at < SETTINGS["maxSteps"]
    assert list(storage.glob("checkpoint-*/pytorch_model_fsdp*")), "accelerate took DDP for FSDP"

    second = run_stage(config, tmp_path / "2", environment=SHARDED)
    assert second.exit_code == 0, second.stderr
    assert "going on from checkpoint-" in second.stderr
    assert [outcome.processes for outcome in outcomes(tmp_path / "2")] == [processes] * processes
    lines, expected = (read_metrics(path / "metrics.jsonl") for path in (storage, whole / "storage" / FOLDER))
    assert [line["reward"] for line in lines] == [line["reward"] for line in expected]
    asked = SETTINGS["maxSteps"] * config.training.failures_per_step
    assert (sum(line["groups"] for line in lines) > asked) == ("method" in trained), (
        "dead groups are replaced"
    )
    ours, theirs = (
        load_file(path / "model" / "model.safetensors") for path in (storage, whole / "storage" / FOLDER)
    )
    assert ours.keys() == theirs.keys()
    start = load_file(model / "model.safetensors")
    for name, weights in theirs.items():
        moved = (weights - start[name]).abs().max()
        assert (ours[name] - weights).abs().max() <= 1e-4 * max(moved, 1e-3), name
