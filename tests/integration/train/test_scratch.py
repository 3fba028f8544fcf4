"""A working folder that outlives the pod, on a volume of the user's: an attempt finds what the one before has left."""

from __future__ import annotations

import signal

import pytest
from reflection_trainer.train.metrics import read_metrics
from reflection_trainer.train.order import Outcome, WorkOrder, write_file

from ...support.stage_runs import run_stage, start_stage
from .stages import FOLDER, GUARD_SECONDS, prepared, steps_done, wait_until, work_of

pytestmark = [pytest.mark.training, pytest.mark.slow]


def test_an_attempt_takes_nothing_there_for_its_own(tmp_path, model):
    """One that was stopped, with a checkpoint that nobody has taken and the words of a second process."""
    config, scratch = prepared(tmp_path, model, maxSteps=60, retryMaxTokens=1), tmp_path / "scratch"
    order = WorkOrder.model_construct(control=work_of(scratch) / "control")
    first = start_stage(config, scratch)
    wait_until(lambda: steps_done(scratch) >= 1, first)
    first.send_signal(signal.SIGTERM)
    _, log = first.communicate(timeout=GUARD_SECONDS)
    assert (first.returncode, order.stop_file.exists()) == (143, True), log
    write_file(order.ready / "checkpoint-99", "")
    write_file(order.outcome_file(1), Outcome(ended="failed", message="of an earlier attempt").to_json())
    earlier = work_of(scratch).with_name("tiny-0123456789-r1-rollout-7-0")
    others = [work_of(scratch).with_name(name) for name in ("training", "tiny-0123456789-r1-train-1-10")]
    for folder in (earlier, *others):
        folder.mkdir()

    second = run_stage(config, scratch)
    assert second.exit_code == 0, second.stderr
    assert "going on from checkpoint-" in second.stderr
    assert not earlier.exists(), "a disk must not fill with what is of no use any more"
    assert all(folder.exists() for folder in others), "the user's own, and of another pod of this run"
    lines = read_metrics(tmp_path / "storage" / FOLDER / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 61))
