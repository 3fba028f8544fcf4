"""Two processes or threads, killed in the first pass over the failures and in a later one: the weights of a training that
nobody killed, bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import StageConfig
from reflection_trainer.train.callbacks import read_position
from reflection_trainer.train.machine import noted_machine
from reflection_trainer.train.metrics import read_metrics

from ...support.stage_runs import run_stage, start_stage
from . import tiny
from .stages import FOLDER, digest, prepared, steps_done, wait_until, work_of
from .test_stage import assert_gone, family, outcomes

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

FAILURES = 75
"""A step that refills takes eight of them, or ten."""
HELD = Path(__file__).parents[2] / "support" / "held_micro_batch"
EARLY, LATE, STEPS = 2, 14, 24
SETTINGS: dict[str, Any] = {
    "processesPerNode": 2,
    "maxSteps": STEPS,
    "retryMaxTokens": 1,
    "checkpoint": {"everySteps": 1},
    "method": {"numGenerations": 4, "deadGroups": "refill"},
}


def killed_after(step: int, config: StageConfig, scratch: Path, storage: Path, **environment: str) -> str:
    """An attempt that is killed once so many steps are done and a checkpoint is stored; its log, which says where it began."""
    process = start_stage(config, scratch, environment=environment)
    wait_until(
        lambda: steps_done(scratch) >= step and list(storage.glob("checkpoint-*/manifest.json")), process
    )
    processes = family(process)
    assert len(processes) > config.training.processes_per_node, "the launcher and its workers"
    process.kill()
    _, log = process.communicate()
    assert_gone(processes)
    assert steps_done(scratch) < config.training.max_steps, "nothing is left to do"
    return log


def position(scratch: Path) -> int:
    """How many failures had been drawn where this attempt began."""
    (checkpoint,) = (work_of(scratch) / "resume").glob("checkpoint-*")
    return read_position(checkpoint)


@pytest.mark.parametrize(
    "trained",
    [{}, {"lora": {"rank": 4}, "learningRate": 0.01, "failuresPerStep": 5}],
    ids=["all weights", "adapters, a group in both processes"],
)
def test_killed_in_the_first_pass_and_in_a_later_one(tmp_path, model, trained):
    settings = SETTINGS | trained
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run = run_stage(prepared(whole, model, count=FAILURES, **settings), whole / "scratch")
    assert run.exit_code == 0, run.stderr

    config, storage = prepared(broken, model, count=FAILURES, **settings), broken / "storage" / FOLDER
    assert "from the beginning" in killed_after(EARLY, config, broken / "1", storage)
    assert "going on from checkpoint-" in killed_after(LATE, config, broken / "2", storage)
    assert 0 < position(broken / "2") < FAILURES, "killed in the first pass"
    last = run_stage(config, broken / "3")
    assert last.exit_code == 0, last.stderr
    assert position(broken / "3") > FAILURES, "killed in a later pass"
    assert [outcome.processes for outcome in outcomes(broken / "3")] == [2, 2]

    lines, expected = (
        read_metrics(folder / "storage" / FOLDER / "metrics.jsonl") for folder in (broken, whole)
    )
    for name in ("step", "groups", "reward", "gradNorm", "loss"):
        assert [line[name] for line in lines] == [line[name] for line in expected], name
    asked = STEPS * config.training.failures_per_step
    assert sum(line["groups"] for line in lines) > asked, "nothing was refilled"
    assert digest(broken / "storage" / FOLDER) == digest(whole / "storage" / FOLDER)


def test_killed_between_two_micro_batches_of_a_step(tmp_path, model):
    """All that is left of the step is sampled anew; a generation batch is one optimizer step."""
    settings = SETTINGS | {"processesPerNode": 1, "maxSteps": 6, "checkpoint": {"everySteps": 2}}
    whole, broken, held = tmp_path / "whole", tmp_path / "broken", tmp_path / "held"
    run = run_stage(prepared(whole, model, **settings), whole / "scratch")
    assert run.exit_code == 0, run.stderr

    config, storage = prepared(broken, model, **settings), broken / "storage" / FOLDER
    first = start_stage(
        config, broken / "1", environment={"PYTHONPATH": str(HELD), "REFLECT_TEST_HELD": str(held)}
    )
    wait_until(lambda: held.exists() and (storage / "checkpoint-2/manifest.json").exists(), first)
    processes = family(first)
    first.kill()
    first.communicate()
    assert_gone(processes)
    assert steps_done(broken / "1") == 3
    last = run_stage(config, broken / "2")
    assert last.exit_code == 0, last.stderr
    assert "going on from checkpoint-2" in last.stderr
    assert digest(storage) == digest(whole / "storage" / FOLDER)


# Threads that wait busily for each other take minutes where others use the cores.
TWO_THREADS = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}


def test_two_threads_that_share_the_work(tmp_path):
    """The model is as wide as it takes for them to share any: of a few thousand numbers one takes care of all."""
    model = tiny.write_model(tmp_path / "model", width=256)
    settings = SETTINGS | {"processesPerNode": 1, "maxSteps": 30, "checkpoint": {"everySteps": 4}}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run = run_stage(prepared(whole, model, **settings), whole / "scratch", environment=TWO_THREADS)
    assert run.exit_code == 0, run.stderr

    config, storage = prepared(broken, model, **settings), broken / "storage" / FOLDER
    killed_after(EARLY, config, broken / "1", storage, **TWO_THREADS)
    last = run_stage(config, broken / "2", environment=TWO_THREADS)
    assert last.exit_code == 0, last.stderr
    assert "going on from checkpoint-" in last.stderr
    assert "bit for bit" not in last.stderr, "it took other threads for the same sums"
    assert all(noted_machine(folder).startswith("2 threads of ") for folder in storage.glob("checkpoint-*"))
    assert digest(storage) == digest(whole / "storage" / FOLDER)
