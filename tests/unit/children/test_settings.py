"""Defaults of the operator's settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

from reflection_operator.settings import OperatorSettings

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_trainer_image_is_of_the_same_version() -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    assert OperatorSettings().trainer_image.endswith(f":{version}")
