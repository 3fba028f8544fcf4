"""What the log says about where a training begins."""

from __future__ import annotations

from pathlib import Path

from reflection_trainer.train import machine
from reflection_trainer.train.machine import note_machine
from reflection_trainer.train.stage import beginning

from ...integration.train import tiny

CHECKPOINT = Path("/work/checkpoint-50")


def test_a_first_attempt() -> None:
    assert beginning(None, tiny.training(gpusPerNode=1)) == "from the beginning"


def test_on_processors_the_rest_is_the_same_to_the_last_bit() -> None:
    assert beginning(CHECKPOINT, tiny.training()) == "going on from checkpoint-50"


def test_with_other_threads_or_another_processor_it_is_said_that_it_is_not(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    two = tiny.training(processesPerNode=2)
    note_machine(tmp_path)
    assert beginning(tmp_path, tiny.training()) == f"going on from {tmp_path.name}"
    assert beginning(tmp_path, two).startswith(
        f"going on from {tmp_path.name}; it was made with 4 threads of "
    )
    assert " a process, here are 2 threads of " in beginning(tmp_path, two)
    monkeypatch.setattr(machine, "_processor", lambda: "another")
    assert beginning(tmp_path, tiny.training()).endswith(
        "here are 4 threads of another: sums come out a little different: it ends alike, not bit for bit the same"
    )


def test_on_gpus_it_is_said_that_it_is_not() -> None:
    assert beginning(CHECKPOINT, tiny.training(gpusPerNode=1)).endswith(
        "it ends alike, not bit for bit the same"
    )
