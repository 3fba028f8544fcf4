"""The whole recipe of the example's model, as `make soak ONLY=recipe` runs it: minutes on one core."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..support.countdown_model import COUNTDOWN, rates

# Processors round differently, and a training carries that on: the weights differ, what they are worth does not.
LOSS_TOLERANCE = 0.005
RATE_TOLERANCE = 0.1
"""Four standard errors of the difference between two shares of so many answers."""


def record(folder: Path) -> dict[str, Any]:
    """What the recipe wrote down about a model."""
    return json.loads((folder / "made_with.json").read_text())


@pytest.mark.timeout(3600)
def test_the_recipe_makes_a_model_as_good_as_the_committed_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(COUNTDOWN / "make_model.py"), "--out", str(tmp_path)], check=True)
    made, committed = record(tmp_path), record(COUNTDOWN)
    assert {name: made[name] for name in ("steps", "seed")} == {
        name: committed[name] for name in ("steps", "seed")
    }
    assert made["firstLosses"] == pytest.approx(committed["firstLosses"], abs=LOSS_TOLERANCE)
    assert made["loss"] == pytest.approx(committed["loss"], abs=LOSS_TOLERANCE)
    assert rates(tmp_path / "model") == pytest.approx(rates(COUNTDOWN / "model"), abs=RATE_TOLERANCE)
    for prompts in (COUNTDOWN / "prompts").iterdir():
        assert (tmp_path / "prompts" / prompts.name).read_bytes() == prompts.read_bytes()
