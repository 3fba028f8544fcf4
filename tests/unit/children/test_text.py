"""YAML that every parser reads alike."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from reflection_operator.children.text import to_yaml


@pytest.mark.parametrize(
    "text",
    ["1e3", "08", "0x1F", "1_000", "+1", "-.5", ".inf", "y", "N", "yes", "null", "~", "2026-01-01", "1:20"],
)
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert to_yaml([{"value": text}]) == f"---\nvalue: '{text}'\n"


def test_texts_of_several_lines_stand_as_they_are() -> None:
    assert to_yaml([{"stage.json": '{\n  "a": 1\n}\n'}]) == '---\nstage.json: |\n  {\n    "a": 1\n  }\n'


def test_equal_values_are_written_out() -> None:
    shared = {"a": "b"}
    assert "&" not in to_yaml([{"one": shared, "two": shared}])


@given(st.lists(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.booleans()), min_size=1))
def test_reads_back(children: list[dict[str, object]]) -> None:
    assert list(yaml.safe_load_all(to_yaml(children))) == children
