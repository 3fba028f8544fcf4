"""The demo's learning on a GPU: bf16, vLLM for CUDA in every stage and inside the training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GAIN = 0.25
"""As the demo reaches it on a processor: bench/demo_seeds.py."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "deepspeed-zero3"])
def test_the_reflections_become_useful(tmp_path: Path, strategy: str) -> None:
    command = [sys.executable, str(ROOT / "examples/countdown/demo.py"), "--workdir", str(tmp_path)]
    settings = {
        "spec.rollout.gpusPerWorker": 1,
        "spec.training.gpusPerNode": 1,
        "spec.training.strategy": strategy,
    }
    for path, value in settings.items():
        command += ["--set", f"{path}={value}"]
    subprocess.run(command, check=True)
    success = json.loads((tmp_path / "result.json").read_text())["retrySuccess"]
    assert success["change"] >= GAIN
    assert success["interval"][0] > 0
