"""Benchmark data as prompts: every row can be answered rightly, and what cannot be is named."""

from __future__ import annotations

import json

import pytest
from reflection_api.items import Item
from reflection_api.tasks import BERKELEY_PARTS, FunctionCallingSource
from reflection_trainer.errors import BadConfig, BadData
from reflection_trainer.tasks.function_calling import function_calling_rows
from reflection_trainer.tasks.skipped import Skipped
from reflection_trainer.verify.registry import make_verifier

XLAM = {
    "query": "What is 2 + 2?",
    "tools": json.dumps([{"name": "add", "parameters": {"a": {"type": "int"}, "b": {"type": "int"}}}]),
    "answers": json.dumps([{"name": "add", "arguments": {"a": 2, "b": 2}}]),
}


def right(row, options):
    verifier = make_verifier("function_call", options)
    [verdict] = verifier.verify([Item(id="1", completion=verifier.gold(row), row=row)])
    return verdict.correct


@pytest.mark.parametrize("part", BERKELEY_PARTS)
def test_the_leaderboards_questions_with_their_answers(part):
    skipped = Skipped()
    rows = list(function_calling_rows(FunctionCallingSource(parts=(part,)), skipped))
    assert len(rows) + skipped.count >= 16
    assert skipped.count == (2 if part == "live_simple" else 0)
    for row in rows:
        assert row.columns["messages"][-1]["role"] == "user"
        assert right({name: row.columns[name] for name in ("tools", "answers")}, {"acceptAny": True})


def test_those_without_any_right_answer_are_named():
    skipped = Skipped()
    list(function_calling_rows(FunctionCallingSource(parts=("live_simple",)), skipped))
    assert skipped.lines()[0] == "left out 2:"
    assert skipped.lines()[1].startswith("  live_simple_106-63-0: answers has for auto_loan_payment_start")


def test_a_file_of_xlam_s_format(tmp_path):
    odd = XLAM | {"answers": json.dumps([{"name": "subtract", "arguments": {}}])}
    file = tmp_path / "xlam.jsonl"
    file.write_text(json.dumps(XLAM) + "\n" + json.dumps(odd) + "\n")
    skipped = Skipped()
    [row] = function_calling_rows(FunctionCallingSource(file=str(file)), skipped)
    assert row.columns == {"prompt": XLAM["query"], "tools": XLAM["tools"], "answers": XLAM["answers"]}
    assert right(row.columns, {})
    assert skipped.lines() == [
        "left out 1:", "  xlam.jsonl:2: answers calls \"subtract\", which is not among the row's tools",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"query": "?"}, 'xlam.jsonl:1: row has no "tools"; columns found: query; rename the columns to query, tools, answers'),
        (XLAM | {"query": 7}, 'xlam.jsonl:1: "query" is 7, not a question; write it as text'),
    ],
    ids=["columns", "query"],
)  # fmt: skip
def test_a_file_of_another_format(tmp_path, row, message):
    file = tmp_path / "xlam.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(BadData) as caught:
        list(function_calling_rows(FunctionCallingSource(file=str(file)), Skipped()))
    assert caught.value.message == message


def test_a_folder_without_the_leaderboards_files(tmp_path):
    source = FunctionCallingSource(parts=("multiple",), folder=str(tmp_path))
    with pytest.raises(BadConfig, match=r"--bfcl-data: there is no file .*; give the folder bfcl_eval/data"):
        list(function_calling_rows(source, Skipped()))


def test_a_conversation_of_several_turns_is_refused(tmp_path):
    (tmp_path / "possible_answer").mkdir()
    answer = {"id": "a", "ground_truth": [["ls()"]]}
    (tmp_path / "possible_answer" / "BFCL_v4_multiple.json").write_text(json.dumps(answer) + "\n")
    source = FunctionCallingSource(parts=("multiple",), folder=str(tmp_path))
    with pytest.raises(BadData, match=r'"ground_truth" is .*, not a list of calls; give files of the parts'):
        list(function_calling_rows(source, Skipped()))
