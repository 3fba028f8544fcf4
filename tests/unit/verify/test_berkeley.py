"""The Berkeley leaderboard's own questions and possible answers, from the data files of bfcl-eval; its code is not used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

DATA = Path(str(distribution("bfcl-eval").locate_file("bfcl_eval/data")))
SINGLE_TURN = [
    "live_multiple", "live_parallel", "live_parallel_multiple", "live_simple", "multiple", "parallel",
    "parallel_multiple", "simple_java", "simple_javascript", "simple_python",
]  # fmt: skip
VERIFIER = make_verifier("function_call", {"acceptAny": True})
# Each has a parameter without any accepted value, which nothing can satisfy.
UNUSABLE = {"live_simple_106-63-0", "live_simple_112-68-0"}


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").strip().split("\n")


def rows(part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    name = f"BFCL_v4_{part}.json"
    questions = {json.loads(line)["id"]: json.loads(line) for line in lines(DATA / name)}
    for line in lines(DATA / "possible_answer" / name):
        answer = json.loads(line)
        calls = [
            {"name": tool, "arguments": args}
            for call in answer["ground_truth"]
            for tool, args in call.items()
        ]
        yield answer["id"], {"answers": calls, "tools": questions[answer["id"]]["function"]}


def judged(texts: list[str], row: dict[str, Any]) -> list[str]:
    items = [Item(id=str(n), completion=text, row=row) for n, text in enumerate(texts)]
    return [verdict.reason for verdict in VERIFIER.verify(items)]


@pytest.mark.parametrize("part", SINGLE_TURN)
def test_possible_answers_are_right_and_their_corruptions_are_not(part):
    seen, refused = 0, set()
    for name, row in rows(part):
        try:
            VERIFIER.check_row(row)
        except RowError:
            refused.add(name)
            continue
        calls = json.loads(VERIFIER.gold(row))
        first, *others = calls
        corrupted = {
            "wrong_count": [*calls, first],
            "unknown_tool": [first | {"name": first["name"] + "X"}, *others],
            "wrong_parameters": [first | {"arguments": first["arguments"] | {"no_such": 1}}, *others],
        }
        if first["arguments"]:
            parameter = next(iter(first["arguments"]))
            odd = first["arguments"] | {parameter: ["no such value"]}
            corrupted["wrong_values"] = [first | {"arguments": odd}, *others]
        texts = [json.dumps(calls), json.dumps(calls[::-1]), *map(json.dumps, corrupted.values())]
        assert judged(texts, row) == ["correct", "correct", *corrupted], name
        seen += 1
    assert refused == (UNUSABLE if part == "live_simple" else set())
    assert seen >= 16


def test_where_berkeley_is_more_lenient():
    """Its scorer compares strings without case, blanks and some punctuation, and takes an integer for a float."""
    row = {"answers": [{"name": "f", "arguments": {"day": ["April 1, 2024"], "x": [1.0]}}]}
    right = {"name": "f", "arguments": {"day": "April 1, 2024", "x": 1.0}}
    lenient = [
        right | {"arguments": right["arguments"] | change} for change in ({"day": "april 1 2024"}, {"x": 1})
    ]
    assert judged([json.dumps(right), *map(json.dumps, lenient)], row) == [
        "correct",
        "wrong_values",
        "wrong_values",
    ]
