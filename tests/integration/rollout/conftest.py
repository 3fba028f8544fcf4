"""A tiny model on disk, and one finished rollout that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...support.stage_runs import StageRun, countdown_rows, run_stage, write_prompts
from ...support.tiny_model import save_tiny_model
from .configuration import rollout_config


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts") / "train.jsonl", countdown_rows(81))


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, prompts: Path
) -> tuple[Path, StageRun]:
    """The storage folder of a rollout with 72 questions x 8 answers, and how it ended."""
    folder = tmp_path_factory.mktemp("finished")
    config = rollout_config(
        folder=folder / "runs",
        model=tiny_model,
        prompts=prompts,
        changes={"rollout.attemptsPerPrompt": 8},
    )
    run = run_stage(config, folder / "scratch")
    assert run.exit_code == 0, run.stderr
    return folder / "runs" / "default" / "tiny-01234567" / "round-1" / "rollout", run
