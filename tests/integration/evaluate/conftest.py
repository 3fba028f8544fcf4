"""The countdown example's model, which answers some questions right, and one that training has changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from reflection_api.contract import StageConfig
from reflection_api.evaluation import EvaluationResult
from reflection_trainer.storage import Artifacts, open_store

from ...support.stage_runs import stage_config

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "countdown"
HELD_OUT = EXAMPLE / "prompts" / "heldout.jsonl"
MODEL = EXAMPLE / "model"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Subprocesses inherit it; the same sums every time, and no fight for cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's model with noise on its weights."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(MODEL, folder)
    weights = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(5)
    noisy = {
        name: tensor + 0.02 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in weights.items()
    }
    save_file(noisy, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def evaluation(folder: Path, *, trained: Path | None = MODEL, number: int = 1, **changes: Any) -> StageConfig:
    """A configuration of the evaluate stage, with a trained model in storage."""
    settings: dict[str, Any] = {
        "round": number,
        "rounds": 2,
        "evaluation.prompts": {"uri": HELD_OUT.as_uri(), "limit": 15},
        "evaluation.passAtK": [3],
        "training.method": {"temperature": 1.0},
        "training.reflectionMaxTokens": 12,
        "training.retryMaxTokens": 8,
    }
    config = stage_config(
        "evaluate",
        folder=folder / "runs",
        model=MODEL,
        prompts=EXAMPLE / "prompts" / "train.jsonl",
        changes=settings | changes,
    )
    if trained is not None:
        artifacts = Artifacts(open_store(config.run_uri))
        artifacts.put_folder(trained, f"round-{number}/train/model", kind="model")
    return config


def stage_folder(folder: Path, number: int = 1) -> Path:
    return folder / "runs" / "default" / "tiny-01234567" / f"round-{number}" / "evaluate"


def inodes(folder: Path, pattern: str) -> dict[str, int]:
    """Which files there are: one that is written again becomes another one."""
    return {file.name: file.stat().st_ino for file in folder.glob(pattern)}


def result_in(folder: Path) -> EvaluationResult:
    return EvaluationResult.model_validate_json((folder / "result.json").read_bytes())


def rows(folder: Path, pattern: str) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob(pattern)) for row in pq.read_table(file).to_pylist()]
