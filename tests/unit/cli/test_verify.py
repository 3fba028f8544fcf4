"""`reflect verify` starts the trainer's verifier and passes its verdicts and its outcome on."""

from __future__ import annotations

import json
import subprocess

import pytest

from ...support.shell import REFLECT

RIGHT = {"id": "a", "completion": "<answer>3 * 8</answer>", "row": {"nums": [3, 8], "target": 24}}
WRONG = {"id": "b", "completion": "<answer>3 + 8</answer>", "row": {"nums": [3, 8], "target": 24}}


def verify(*arguments: str, items: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*REFLECT, "verify", *arguments], input=items, capture_output=True, text=True, check=False
    )


def test_items_in_verdicts_out() -> None:
    answer = verify("--verifier", "countdown", items=f"{json.dumps(RIGHT)}\n{json.dumps(WRONG)}\n")
    assert answer.returncode == 0, answer.stderr
    verdicts = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [(verdict["id"], verdict["correct"]) for verdict in verdicts] == [("a", True), ("b", False)]


def test_options_reach_the_verifier() -> None:
    item = json.dumps({"id": "a", "completion": "YES", "row": {"answer": "yes"}})
    answer = verify("--verifier", "exact", "--options", '{"ignoreCase": true}', items=item)
    assert json.loads(answer.stdout)["correct"] is True
    assert json.loads(verify("--verifier", "exact", items=item).stdout)["correct"] is False


@pytest.mark.parametrize(
    ("arguments", "items", "code", "message"),
    [
        (
            ["--verifier", "cuntdown"],
            "",
            2,
            'there is no built-in verifier "cuntdown"; did you mean countdown?',
        ),
        (["--verifier", "exact", "--options", "{"], "", 2, "--options: not JSON"),
        (
            ["--verifier", "exact", "--options", '{"case": 1}'],
            "",
            2,
            "--options: case: the exact verifier has no such option",
        ),
        (["--verifier", "countdown"], "{}\n", 1, 'standard input, line 1: has no "id"'),
        ([], "", 2, "give one of them"),
        (["--verifier", "exact", "--http", "http://localhost"], "", 2, "give one of them"),
        (
            ["--http", "localhost:80"],
            "",
            2,
            "the address: localhost:80: write http://host:port or https://host",
        ),
    ],
)
def test_mistakes(arguments: list[str], items: str, code: int, message: str) -> None:
    answer = verify(*arguments, items=items)
    assert answer.returncode == code
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
