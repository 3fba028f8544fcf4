"""What the log says about where a training begins."""

from __future__ import annotations

from pathlib import Path

from reflection_trainer.train.stage import beginning

from ...integration.train import tiny

CHECKPOINT = Path("/work/checkpoint-50")


def test_a_first_attempt() -> None:
    assert beginning(None, tiny.training(gpusPerNode=1)) == "from the beginning"


def test_on_processors_the_rest_is_the_same_to_the_last_bit() -> None:
    assert beginning(CHECKPOINT, tiny.training()) == "going on from checkpoint-50"


def test_on_gpus_it_is_said_that_it_is_not() -> None:
    assert beginning(CHECKPOINT, tiny.training(gpusPerNode=1)).endswith(
        "it ends alike, not bit for bit the same"
    )
