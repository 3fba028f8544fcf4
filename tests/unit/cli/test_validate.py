"""`reflect validate` as users and programs meet it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reflection_operator.cli.main import app
from typer.testing import CliRunner

RUNNER = CliRunner()
ROOT = Path(__file__).parents[3]
GOOD = """\
apiVersion: reflection.training/v1alpha1
kind: ReflectionTraining
metadata: {name: countdown}
spec:
  model: {uri: hf://org/name}
  task:
    prompts: {uri: s3://team/train.jsonl}
    verifier: {builtin: {name: countdown}}
  storage: {uri: s3://team/runs}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD + "  rollout: {worker: 4}\n  rounds: 99\n")
    return file


def test_a_valid_file(good: Path) -> None:
    answer = RUNNER.invoke(app, ["validate", str(good)])
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "default/countdown: valid\n", "")


def test_one_line_for_each_problem(good: Path, bad: Path) -> None:
    answer = RUNNER.invoke(app, ["validate", str(good), str(bad)])
    assert answer.exit_code == 1
    assert answer.stdout.splitlines() == [
        "default/countdown: valid",
        f"{bad}:10: spec.rollout.worker: unknown field; did you mean spec.rollout.workers?",
        f"{bad}:11: spec.rounds: 99 is too large; expected a whole number from 1 to 10",
    ]


def test_json_for_programs(good: Path, bad: Path) -> None:
    answer = RUNNER.invoke(app, ["validate", "-o", "json", str(bad)])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout) == {
        "valid": False,
        "resources": 0,
        "problems": [
            {
                "file": str(bad),
                "line": 10,
                "field": "spec.rollout.worker",
                "message": "unknown field; did you mean spec.rollout.workers?",
            },
            {
                "file": str(bad),
                "line": 11,
                "field": "spec.rounds",
                "message": "99 is too large; expected a whole number from 1 to 10",
            },
        ],
        "notes": [],
    }
    answer = RUNNER.invoke(app, ["validate", "-o", "json", str(good)])
    assert json.loads(answer.stdout) == {"valid": True, "resources": 1, "problems": [], "notes": []}


def test_standard_input() -> None:
    assert RUNNER.invoke(app, ["validate", "-"], input=GOOD).exit_code == 0
    answer = RUNNER.invoke(app, ["validate", "-"], input=GOOD + "  rounds: 0\n")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("standard input:10: spec.rounds: 0 is too small")


def test_other_kinds_are_noted_and_pass(tmp_path: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text("apiVersion: v1\nkind: Secret\n---\n" + GOOD)
    answer = RUNNER.invoke(app, ["validate", str(file)])
    assert (answer.exit_code, answer.stderr) == (0, f"note: {file}:1: Secret is not checked\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "apiVersion: v1\nkind: Secret\n"])
def test_nothing_checked_is_not_valid(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    answer = RUNNER.invoke(app, ["validate", str(file)])
    assert answer.exit_code == 1
    assert "no ReflectionTraining found" in answer.stderr
    assert json.loads(RUNNER.invoke(app, ["validate", "-o", "json", str(file)]).stdout)["valid"] is False


def test_local_allows_files_and_looks_at_them(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace("s3://team/train.jsonl", "file://./train.jsonl"))
    answer = RUNNER.invoke(app, ["validate", str(file)])
    assert answer.exit_code == 1
    assert "file:// is for `reflect run` only" in answer.stdout
    answer = RUNNER.invoke(app, ["validate", "--local", str(file)])
    assert f"spec.task.prompts.uri: there is no file {tmp_path}/train.jsonl" in answer.stdout
    (tmp_path / "train.jsonl").write_text('{"prompt": "?"}\n')
    assert RUNNER.invoke(app, ["validate", "--local", str(file)]).exit_code == 0


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path, good: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(b"a: [\xff")
    answer = RUNNER.invoke(app, ["validate", str(file), str(good)])
    assert answer.exit_code == 1
    assert answer.stdout.splitlines() == [
        f"{file}:1: byte 0xff is not UTF-8; save the file as UTF-8",
        "default/countdown: valid",
    ]


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("examples/*/reflectiontraining.yaml")), ids=lambda file: file.parent.name
)
def test_the_examples_are_valid(file: Path) -> None:
    answer = RUNNER.invoke(app, ["validate", "-o", "json", "--local", str(file)])
    problems = json.loads(answer.stdout)["problems"]
    # A model or prompts that a recipe makes first need not be here.
    assert [problem for problem in problems if "there is no f" not in problem["message"]] == []


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("examples/*/reflectiontraining.yaml")), ids=lambda file: file.parent.name
)
def test_on_a_cluster_only_the_addresses_of_the_examples_change(tmp_path: Path, file: Path) -> None:
    moved = tmp_path / "reflectiontraining.yaml"
    moved.write_text(re.sub(r"file://\.?/(\.\./)*", "s3://team/", file.read_text()))
    answer = RUNNER.invoke(app, ["validate", "-o", "json", str(moved)])
    assert json.loads(answer.stdout)["problems"] == []


def test_the_check_itself_is_quick(good: Path, record_property: Callable[[str, object], None]) -> None:
    RUNNER.invoke(app, ["validate", str(good)])
    started = time.monotonic()
    assert RUNNER.invoke(app, ["validate", str(good)]).exit_code == 0
    seconds = time.monotonic() - started
    record_property("seconds", seconds)
    assert seconds < 1
