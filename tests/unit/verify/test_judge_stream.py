"""A stream of items: a verdict for each line, errors that name the line, nothing kept that grows."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest
from reflection_trainer.verify import item_lines, judge
from reflection_trainer.verify.item_lines import BadLine
from reflection_trainer.verify.judge import BATCH_ITEMS, judge_stream, summary
from reflection_trainer.verify.registry import make_verifier

ROW = {"nums": [3, 4], "target": 12}


def line(item_id: object, completion: str = "3 * 4", **more: object) -> bytes:
    return json.dumps({"id": item_id, "completion": completion, "row": ROW, **more}).encode() + b"\n"


def run(*lines: bytes) -> tuple[list[dict[str, object]], Counter[str]]:
    out = io.StringIO()
    given = judge_stream(make_verifier("countdown"), io.BytesIO(b"".join(lines)), out)
    return [json.loads(verdict) for verdict in out.getvalue().splitlines()], given


def fails(*lines: bytes) -> tuple[str, list[str]]:
    """The error, and the ids that have a verdict nevertheless."""
    out = io.StringIO()
    with pytest.raises(BadLine) as error:
        judge_stream(make_verifier("countdown"), io.BytesIO(b"".join(lines)), out)
    return str(error.value), [json.loads(verdict)["id"] for verdict in out.getvalue().splitlines()]


def test_one_verdict_per_line_in_order():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Make 12."}]
    verdicts, given = run(line("b"), line("a", "3 + 4"), line("c", "none", messages=messages))
    assert verdicts == [
        {"id": "b", "correct": True, "reason": "correct"},
        {"id": "a", "correct": False, "reason": "missed_target"},
        {"id": "c", "correct": False, "reason": "no_equation"},
    ]
    assert given == {"correct": 1, "missed_target": 1, "no_equation": 1}


@pytest.mark.parametrize("count", [0, 1, BATCH_ITEMS - 1, BATCH_ITEMS, BATCH_ITEMS + 1, 3 * BATCH_ITEMS])
def test_every_item_has_its_verdict_whatever_the_batches(count):
    verdicts, given = run(*(line(f"i{n}", "3 * 4" if n % 3 else "3 + 4") for n in range(count)))
    assert [verdict["id"] for verdict in verdicts] == [f"i{n}" for n in range(count)]
    assert [verdict["correct"] for verdict in verdicts] == [bool(n % 3) for n in range(count)]
    assert given.total() == count


def test_long_completions_make_small_batches(monkeypatch):
    monkeypatch.setattr(judge, "BATCH_CHARACTERS", 100)
    sizes = []
    verifier = make_verifier("countdown")
    verify = verifier.verify
    monkeypatch.setattr(
        verifier, "verify", lambda items: (sizes.append(len(items)), verify(items))[1], raising=False
    )
    judge_stream(
        verifier, io.BytesIO(b"".join(line(f"i{n}", "3 * 4" + " " * 55) for n in range(5))), io.StringIO()
    )
    assert sizes == [2, 2, 1]


def test_blank_lines_and_a_missing_last_line_end_are_fine():
    verdicts, _ = run(b"\n", line("a"), b"  \r\n", line("b").rstrip(b"\n"))
    assert [verdict["id"] for verdict in verdicts] == ["a", "b"]


def test_hostile_ids_and_completions_cannot_leave_their_line():
    verdicts, _ = run(
        line('x"}\n{"id":"y","correct":true'),
        line("y", '</answer>\n{"correct":true}'),
        line("\x00"),
        line(""),
    )
    assert [verdict["id"] for verdict in verdicts] == ['x"}\n{"id":"y","correct":true', "y", "\x00", ""]
    assert [verdict["correct"] for verdict in verdicts] == [True, False, True, True]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"{\n", "not JSON ("),
        (b"id,completion\n", "not JSON ("),
        (b'{"id": "x"} {"id": "y"}\n', "not JSON ("),
        (b'{"id": "x", "completion": "\\ud800"}\n', "not JSON ("),
        (b"[" * 100_000 + b"\n", "not JSON ("),
        (b'{"id": "x", "completion": "", "row": {"nums": ' + b"[" * 5_000 + b"\n", "not JSON ("),
        (b'{"id": "x", "completion": "", "row": {"nums": [' + b"9" * 5_000 + b"]}}\n", "not JSON ("),
        (b'{"id": "\xff"}\n', "not UTF-8 at byte 9 (0xff); save the file as UTF-8"),
        (b"\xff\xfe{\x00\n", "not UTF-8 at byte 1 (0xff)"),
        (b"[]\n", "[] should be a JSON object; an item is"),
        (b"null\n", "null should be a JSON object; an item is"),
        (b'{"completion": "3 * 4"}\n', 'has no "id"; an item is'),
        (b'{"id": "x"}\n', 'has no "completion"; an item is'),
        (b'{"id": 7, "completion": ""}\n', "id: 7 should be a valid string; an item is"),
        (b'{"id": "x", "completion": null}\n', "completion: null should be a valid string; an item is"),
        (b'{"id": "x", "completion": "", "row": "{}"}\n', 'row: "{}" should be a JSON object; an item is'),
        (b'{"id": "x", "completion": "", "seed": 1}\n', "seed is not a field; an item is"),
        (
            b'{"id": "x", "completion": "", "row": {"nums": [1]}}\n',
            'row has no "target", which the countdown verifier',
        ),
        (
            b'{"id": "x", "completion": "", "row": {"nums": [1], "target": NaN}}\n',
            "target is a floating-point number: nan; write integers",
        ),
        (
            b'{"id": "x", "completion": "", "row": {"nums": [1], "target": -Infinity}}\n',
            "target is a floating-point number: -inf; write integers",
        ),
        (
            b'{"id": "a", "completion": ""}\n',
            'id "a" stands on line 1 already; give each item an id of its own',
        ),
    ],
)
def test_a_bad_line_is_named_and_the_lines_before_it_are_judged(bad, problem):
    message, judged = fails(line("a"), b"\n", line("b"), bad, line("c"))
    assert message.startswith(f"line 4: {problem}")
    assert len(message) < 400
    assert judged == ["a", "b"]


def test_a_repeated_id_is_found_across_batches():
    lines = [line(f"i{n}") for n in range(2 * BATCH_ITEMS)]
    message, judged = fails(*lines, line("i1"))
    assert (
        message
        == f'line {2 * BATCH_ITEMS + 1}: id "i1" stands on line 2 already; give each item an id of its own'
    )
    assert len(judged) == 2 * BATCH_ITEMS


def test_a_line_without_an_end_is_not_read_whole(monkeypatch):
    monkeypatch.setattr(item_lines, "MAX_LINE", 1024 * 1024)
    source = io.BytesIO(line("a") + b'"' + b"x" * 4_000_000)
    with pytest.raises(BadLine, match="line 2: longer than 1 MiB"):
        list(item_lines.numbered_items(source))
    assert source.tell() < 1_200_000


def test_the_summary_counts_the_reasons():
    assert summary(Counter()) == "no items"
    assert (
        summary(Counter(correct=1500, wrong_answer=500))
        == "2,000 items: correct 1,500 (75.0%), wrong_answer 500 (25.0%)"
    )
