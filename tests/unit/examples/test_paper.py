"""The rows of the paper: valid as an API server sees it, rendered whole, and with the settings that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from reflection_api.resource import ReflectionTraining
from reflection_operator.cli.main import app
from typer.testing import CliRunner

FOLDER = Path(__file__).parents[3] / "examples/paper"
FILES = sorted(FOLDER.glob("*.yaml"))
MARKS = ("the author", "the paper's method", "notes", "inferred", "not published: ours")


def test_there_are_four() -> None:
    assert len(FILES) == 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_valid_and_rendered(file: Path) -> None:
    valid = CliRunner().invoke(app, ["validate", str(file)])
    assert valid.exit_code == 0, valid.output
    rendered = CliRunner().invoke(app, ["render", str(file)])
    assert rendered.exit_code == 0, rendered.output
    jobs = [item for item in yaml.safe_load_all(rendered.stdout) if item["kind"] == "Job"]
    assert len(jobs) == 5


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_settings_that_are_known(file: Path) -> None:
    resource = ReflectionTraining.model_validate(yaml.safe_load(file.read_text()))
    training = resource.spec.training
    assert (training.method.beta, training.method.temperature) == (0.001, 0.9)
    assert (training.learning_rate, training.scheduler, training.warmup_ratio) == (5e-7, "cosine", 0.03)
    assert training.failures_per_step * training.method.num_generations == 256
    assert (training.method.loss_type, training.method.credit_scope) == ("grpo", "reflection")
    assert training.lora is None
    assert resource.spec.rollout.sampling.temperature == 0.9
    assert "Unproven" in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_setting_of_the_training_says_where_it_comes_from(file: Path) -> None:
    """In the words that the page explains; and so do those that are not set."""
    training = file.read_text().partition("\n  training:\n")[2].partition("\n  evaluation:\n")[0]
    page = (FOLDER / "README.md").read_text()
    assert [mark for mark in MARKS if f"\n- *{mark}*: " not in page] == []
    settings = [line for line in training.splitlines() if not line.lstrip().startswith("#")]
    unmarked = [
        line for line in settings if not line.endswith(":") and not line.partition("# ")[2].startswith(MARKS)
    ]
    assert unmarked == []
    for words in ("The author: the weights are updated directly. Inferred: ", "precision", "optimizer"):
        assert words in training
    assert "precision" in page
    assert "optimizer" in page
