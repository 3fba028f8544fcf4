"""Hostile text on one bounded line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_operator.reconcile.text import last_line, one_line


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("plain", 10, "plain"),
        ("  two\n\tlines \r\n", 20, "two lines"),
        ("\x1b[31mred\x1b[0m", 20, "[31mred[0m"),
        ("safe \u202eevil", 20, "safe evil"),
        ("0123456789abc", 10, "0123456..."),
        ("\u00e4" * 10, 10, "\u00e4\u00e4\u00e4..."),
        ("a\ud800b", 10, "ab"),
    ],
)
def test_one_line(text, limit, line):
    assert one_line(text, limit) == line


@given(st.text(alphabet=st.characters(exclude_categories=())), st.integers(4, 400))
def test_one_line_is_one_printable_line_of_few_bytes(text, limit):
    line = one_line(text, limit)
    assert len(line.encode()) <= limit
    assert line.isprintable()
    assert one_line(line, limit) == line


@pytest.mark.parametrize(
    ("log", "line"),
    [("first\nlast\n\n \n", "last"), ("", ""), ("\n\n", ""), ("only", "only"), ("a\r\nb\r\n", "b")],
)
def test_last_line(log, line):
    assert last_line(log, 100) == line
