"""Trainings that differ only in how their work is split take one path: same rewards at every step, same weights at the end.

What the policy says is recorded (tests/support/recorded_samples): sampled, it would depend on who samples what.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reflection_trainer.train.metrics import read_metrics
from safetensors.torch import load_file

from ...support.stage_runs import run_stage, start_stage
from .test_stage import FOLDER, outcomes, prepared, steps_done, wait_until

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

RECORDED = {"PYTHONPATH": str(Path(__file__).parents[2] / "support" / "recorded_samples")}
# Ten failures, four a step: the second pass begins within step 3.
SETTINGS: dict[str, Any] = {
    "maxSteps": 8,
    "retryMaxTokens": 1,
    "learningRate": 1e-3,
    "checkpoint": {"everySteps": 2},
    "method": {"beta": 0.05},
}
TOLERANCE = 1e-5
"""Largest difference of a weight: sums are taken in another order. Training moves weights by more than a hundred times that."""
NORM_TOLERANCE = 1e-3
"""Of a gradient's length, relative."""
SPLITS: dict[str, dict[str, Any]] = {
    "smaller micro-batches": {"microBatchSize": 2},
    "larger micro-batches": {"microBatchSize": 32},
    "recomputation": {"gradientCheckpointing": True},
    "two processes, smaller micro-batches": {"processesPerNode": 2, "microBatchSize": 2},
}


def train(folder: Path, model: Path, **changes: Any) -> Path:
    run = run_stage(prepared(folder, model, **(SETTINGS | changes)), folder / "scratch", environment=RECORDED)
    assert run.exit_code == 0, run.stderr
    return folder / "storage" / FOLDER


def path_of(storage: Path) -> list[tuple[float, ...]]:
    """What every step says that does not depend on rounding."""
    names = ("step", "reward", "deadGroupShare", "reflectionTokens", "leakShare", "learningRate")
    return [tuple(line[name] for name in names) for line in read_metrics(storage / "metrics.jsonl")]


def check_norms(one: Path, other: Path) -> None:
    """At every step the gradients of both are as long."""
    norms, expected = (
        [line["gradNorm"] for line in read_metrics(each / "metrics.jsonl")] for each in (one, other)
    )
    assert max(expected) > 0
    assert norms == pytest.approx(expected, rel=NORM_TOLERANCE, abs=1e-6)


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def weights(storage: Path) -> dict[str, torch.Tensor]:
    return load_file(storage / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """One process, the micro-batch of the other tests, never stopped."""
    storage = train(tmp_path_factory.mktemp("recorded"), model)
    assert farthest(weights(storage), load_file(model / "model.safetensors")) > 100 * TOLERANCE
    assert any(line["reward"] not in (0.0, 1.0) for line in read_metrics(storage / "metrics.jsonl"))
    return storage


@pytest.fixture(scope="module")
def recorded_by_two(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """Two processes, never stopped."""
    return train(tmp_path_factory.mktemp("two"), model, processesPerNode=2)


def test_two_processes_take_the_path_of_one(recorded, recorded_by_two):
    assert path_of(recorded_by_two) == path_of(recorded)
    check_norms(recorded_by_two, recorded)
    assert farthest(weights(recorded_by_two), weights(recorded)) <= TOLERANCE


@pytest.mark.parametrize("changes", SPLITS.values(), ids=SPLITS)
def test_however_the_work_is_split(tmp_path, model, recorded, changes):
    storage = train(tmp_path, model, **changes)
    processes = changes.get("processesPerNode", 1)
    assert [each.processes for each in outcomes(tmp_path / "scratch")] == [processes] * processes
    assert path_of(storage) == path_of(recorded)
    check_norms(storage, recorded)
    assert farthest(weights(storage), weights(recorded)) <= TOLERANCE


@pytest.mark.parametrize("scaling", ["group", "batch"])
def test_two_processes_that_drop_dead_groups_take_the_path_of_one(tmp_path, model, scaling):
    """Although one of them often has more live groups than the other, and fills up with dead ones."""
    method = {**SETTINGS["method"], "deadGroups": "drop", "rewardScaling": scaling}
    one, two = (
        train(tmp_path / str(processes), model, method=method, processesPerNode=processes)
        for processes in (1, 2)
    )
    shares = {line["deadGroupShare"] for line in read_metrics(one / "metrics.jsonl")}
    assert shares & {0.25, 0.75}, "an odd number of live groups cannot be shared out evenly"
    assert path_of(two) == path_of(one)
    check_norms(two, one)
    assert farthest(weights(two), weights(one)) <= TOLERANCE


SPANNING: dict[str, dict[str, Any]] = {
    "kept": {},
    "dropped": {"deadGroups": "drop"},
    "replaced": {"deadGroups": "refill"},
    "retries trained too": {"creditScope": "reflectionAndRetry"},
    "retries trained too, dropped": {"creditScope": "reflectionAndRetry", "deadGroups": "drop"},
    "scaled by the batch": {"rewardScaling": "batch", "deadGroups": "drop"},
    # Each has means of its own over tokens or rows of all processes.
    **{loss: {"lossType": loss, "deadGroups": "drop"} for loss in ("dr_grpo", "dapo", "cispo", "gspo")},
}


@pytest.mark.parametrize(
    ("failures", "method"),
    [*((5, method) for method in SPANNING.values()), (1, {}), (1, {"deadGroups": "refill"})],
    ids=[*SPANNING, "one group", "one group, replaced"],
)
def test_groups_that_span_processes_are_compared_as_wholes(tmp_path, model, failures, method):
    """Of five groups of eight the third is sampled half by one process and half by the other."""
    spanning = {"failuresPerStep": failures, "microBatchSize": 4, "method": SETTINGS["method"] | method}
    one, two = (
        train(tmp_path / str(processes), model, **spanning, processesPerNode=processes)
        for processes in (1, 2)
    )
    assert [each.processes for each in outcomes(tmp_path / "2" / "scratch")] == [2, 2]
    shares = [line["deadGroupShare"] for line in read_metrics(one / "metrics.jsonl")]
    assert len(set(shares)) > 1, "some groups are dead and some are not"
    assert path_of(two) == path_of(one)
    check_norms(two, one)
    assert farthest(weights(two), weights(one)) <= TOLERANCE


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_in_the_first_pass_and_in_a_later_one(tmp_path, model, request, processes):
    whole = request.getfixturevalue("recorded" if processes == 1 else "recorded_by_two")
    config = prepared(tmp_path, model, **(SETTINGS | {"processesPerNode": processes}))
    storage = tmp_path / "storage" / FOLDER
    for attempt, step in enumerate((1, 5)):
        process = start_stage(config, tmp_path / str(attempt), environment=RECORDED)
        wait_until(
            lambda step=step, attempt=attempt: (
                steps_done(tmp_path / str(attempt)) >= step
                and (step == 1 or (storage / "checkpoint-4" / "manifest.json").exists())
            ),
            process,
        )
        process.kill()
        process.communicate()
    last = run_stage(config, tmp_path / "last", environment=RECORDED)
    assert last.exit_code == 0, last.stderr
    assert "going on from checkpoint-" in last.stderr
    assert path_of(storage) == path_of(whole)
    assert farthest(weights(storage), weights(whole)) == 0
