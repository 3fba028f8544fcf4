"""`reflect task`: what somebody types, what is written, and what is said to a mistake."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from reflection_operator.cli.main import app
from typer.testing import CliRunner

from ...support.shell import REFLECT


def task(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*REFLECT, "task", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


def read(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_countdown(tmp_path):
    done = task("countdown", "--out", tmp_path / "a", "--count", 40, "--held-out-share", 0.25, "--most", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/a/train.jsonl: 30 rows\n{tmp_path}/a/heldout.jsonl: 10 rows\n"
    assert {len(row["nums"]) for row in read(tmp_path / "a/train.jsonl")} == {3}
    again = task("countdown", "--out", tmp_path / "a", "--count", 40)
    assert again.returncode == 2
    assert "train.jsonl is there already; give another folder, or --force to replace it" in again.stderr
    assert len(read(tmp_path / "a/train.jsonl")) == 30


def test_reasoning_gym(tmp_path):
    config = '{"max_animals": 3}'
    done = task("reasoning-gym", "leg_counting", "--out", tmp_path, "--count", 20, "--config", config)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "train.jsonl") + read(tmp_path / "heldout.jsonl")
    assert len({row["prompt"] for row in rows}) == 20
    answer = json.loads(rows[0]["entry"])["answer"]
    items = json.dumps({"id": "1", "completion": f"<answer>{answer}</answer>", "row": rows[0]})
    judged = subprocess.run(
        [*REFLECT, "verify", "--verifier", "reasoning_gym"],
        input=items, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert '"correct":true' in judged.stdout, judged.stderr


def test_the_same_command_writes_the_same_questions(tmp_path):
    """Whatever strings hash to: this dataset's generator goes through a set of them."""
    for seed in "12":
        words = ("reasoning-gym", "ransom_note", "--count", 10, "--out", tmp_path / seed)
        done = task(*words, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / seed / "train.jsonl").read_bytes() for seed in "12")
    assert first == second


def test_function_calling(tmp_path):
    done = task("function-calling", "--bfcl", "simple_java, live_simple", "--count", 100, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out 2:\n  live_simple_106-63-0: " in done.stderr
    assert len(read(tmp_path / "train.jsonl")) + len(read(tmp_path / "heldout.jsonl")) == 100


def test_rows_of_ones_own(tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [{"question": f"What is {n % 10}?", "answer": str(n % 10), "n": n} for n in range(30)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    unmapped = task("rows", file, "--out", tmp_path / "out")
    assert unmapped.returncode == 1
    assert (
        'mine.jsonl:1: row has neither "prompt" nor "messages"; columns found: answer, n, question'
        in unmapped.stderr
    )
    assert "Traceback" not in unmapped.stderr
    done = task("rows", file, "--out", tmp_path / "out", "--column", "prompt=question")
    assert done.returncode == 0, done.stderr
    train, held_out = (read(tmp_path / "out" / name) for name in ("train.jsonl", "heldout.jsonl"))
    assert len(held_out) == 3, "the three rows of one question"
    assert sorted(train + held_out, key=lambda row: row["n"]) == rows


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("countdown", 2, "Missing option '--out'"),
        ("countdown --out x --fewest 5", 2, "Invalid value for --most: 4 is less than --fewest 5"),
        ("countdown --out x --most 7", 2, "Invalid value for --most: Input should be less than or equal to 6"),
        ("countdown --out x --operators +^", 2, "Invalid value for --operators: write some of +-*/"),
        ("countdown --out x --count 1", 2, "Invalid value for --count: Input should be greater than or equal to 2"),
        ("countdown --out x --held-out-share 1", 2, "Invalid value for --held-out-share: Input should be less than 1"),
        ("countdown --out x --from no.jsonl", 1, "error: no.jsonl: No such file or directory"),
        ("function-calling --out x", 2, "Invalid value for --bfcl, --xlam: give one of them"),
        ("function-calling --out x --bfcl ,", 2, "Invalid value for --bfcl: name parts of live_multiple"),
        ("function-calling --out x --bfcl simple", 2, 'Invalid value for --bfcl: there is no part "simple"; there are'),
        ("reasoning-gym leg_countin --out x", 2, 'error: --dataset: reasoning-gym has no dataset "leg_countin"; did you mean'),
        (
            "reasoning-gym zebra_puzzles --out x", 2,
            "error: --dataset: zebra_puzzles cannot be made here, since its generator needs the package pycosat; install that",
        ),
        ("reasoning-gym leg_counting --out x --config {", 2, "Invalid value for --config: not JSON"),
        ("reasoning-gym leg_counting --out x --config []", 2, "Invalid value for --config: Input should be a valid dict"),
        (
            'reasoning-gym leg_counting --out x --config {"legs":1}', 2,
            "error: --config: leg_counting does not accept it: LegCountingConfig",
        ),
        ("rows no.jsonl --out x", 1, "error: no.jsonl: No such file or directory"),
        ("rows no.jsonl --out x --column prompt", 2, 'Invalid value for --column: "prompt": write for example prompt=question'),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, monkeypatch, capfd, words, code, message):
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["task", *words.split()])
    assert answer.exit_code == code
    assert message in answer.stderr + capfd.readouterr().err
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_nothing_given_shows_the_help():
    answer = CliRunner().invoke(app, ["task"])
    assert answer.exit_code == 2
    assert "reasoning-gym" in answer.output
