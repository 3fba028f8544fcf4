"""What tests of whole training stages, as processes, have in common."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reflection_api.contract import StageConfig
from reflection_trainer.context import StageContext
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.train.metrics import read_metrics

from . import tiny

GUARD_SECONDS = 120
FOLDER = "default/tiny-01234567/round-1/train"


def prepared(folder: Path, model: Path, *, count: int = 10, **training: Any) -> StageConfig:
    """A configuration whose dataset of so many failures is in storage."""
    config = tiny.config(model, folder / "storage", **training)
    work = folder / "verify"
    work.mkdir(parents=True, exist_ok=True)
    context = StageContext(config, Artifacts(open_store(config.run_uri)), work, 0)
    tiny.store_failures(context, model, tiny.failures(count))
    return config


def wait_until(true: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + GUARD_SECONDS
    while not true():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def work_of(scratch: Path, index: int = 0) -> Path:
    """Where a machine of a training works."""
    return scratch / "work" / f"tiny-0123456789-r1-train-1-{index}"


def steps_done(scratch: Path) -> int:
    return len(read_metrics(work_of(scratch) / "training" / "metrics.jsonl"))


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()
