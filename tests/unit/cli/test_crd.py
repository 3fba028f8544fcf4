"""`reflect crd` prints what is committed."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from reflection_operator.cli.main import app
from typer.testing import CliRunner

COMMITTED = Path(__file__).parents[3] / "crds/reflectiontrainings.yaml"


def test_yaml() -> None:
    answer = CliRunner().invoke(app, ["crd"])
    assert answer.exit_code == 0
    assert answer.stdout == COMMITTED.read_text(), "run `make crd`"


def test_json_says_the_same() -> None:
    answer = CliRunner().invoke(app, ["crd", "-o", "json"])
    assert json.loads(answer.stdout) == yaml.safe_load(COMMITTED.read_text())
