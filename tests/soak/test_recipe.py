"""The whole recipe of the example's model, as `make soak ONLY=recipe` runs it: minutes on one core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

COUNTDOWN = Path(__file__).parents[2] / "examples" / "countdown"
TOLERANCE = 0.02
"""Processors round differently, and a training carries that on: the share of its length by which the weights may differ."""


@pytest.mark.timeout(3600)
def test_the_recipe_makes_the_committed_model(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(COUNTDOWN / "make_model.py"), "--out", str(tmp_path)], check=True)
    committed = load_file(COUNTDOWN / "model" / "model.safetensors")
    made = load_file(tmp_path / "model" / "model.safetensors")
    assert made.keys() == committed.keys()
    for name, weights in committed.items():
        assert (made[name] - weights).norm() <= TOLERANCE * weights.norm(), name
    for prompts in (COUNTDOWN / "prompts").iterdir():
        assert (tmp_path / "prompts" / prompts.name).read_bytes() == prompts.read_bytes()
