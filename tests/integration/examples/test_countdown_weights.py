"""The whole recipe still makes the model that is committed: minutes on one core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

TOLERANCE = 0.02
"""Processors round differently, and a training carries that on: the share of its length by which the weights may differ."""


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(3600)
def test_the_recipe_makes_the_committed_model(countdown: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(countdown / "make_model.py"), "--out", str(tmp_path)], check=True)
    committed = load_file(countdown / "model" / "model.safetensors")
    made = load_file(tmp_path / "model" / "model.safetensors")
    assert made.keys() == committed.keys()
    for name, weights in committed.items():
        assert (made[name] - weights).norm() <= TOLERANCE * weights.norm(), name
    for prompts in (countdown / "prompts").iterdir():
        assert (tmp_path / "prompts" / prompts.name).read_bytes() == prompts.read_bytes()
