"""The recipe is a folder of scripts and no package: its modules are found as the scripts find them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

COUNTDOWN = Path(__file__).parents[3] / "examples" / "countdown"
sys.path.insert(0, str(COUNTDOWN))


@pytest.fixture(scope="session")
def countdown() -> Path:
    """The folder of the example."""
    return COUNTDOWN
