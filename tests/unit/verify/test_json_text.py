"""JSON that a model wrote: read strictly, found in fences, never slow."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.verify.answers import fenced_blocks
from reflection_trainer.verify.json_text import NotJson, canonical, read_json, read_json_at

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.text(alphabet=" \n\t", max_size=3))
def test_reads_what_json_writes(value, blank):
    text = json.dumps(value)
    assert canonical(read_json(blank + text + blank)) == canonical(value)
    assert read_json_at(f"x{text} }}]", 1)[1] == 1 + len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "{'a': 1}",
        '{"a": 1} {"b": 2}',
        '{"a": 1, "a": 1}',
        '{"b": {"a": 1, "a": 2}}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "9" * 401,
        "0." + "1" * 401,
        "[" * 33 + "]" * 33,
        "[" * 100_000,
        "\uff11",
        "01",
        '"\n"',
    ],
)
def test_refuses(text):
    with pytest.raises(NotJson):
        read_json(text)


def test_the_bounds_are_inclusive():
    assert read_json("[" * 32 + "]" * 32)
    assert read_json("9" * 400) == int("9" * 400)


def test_types_are_part_of_a_value():
    assert len({canonical(value) for value in (1, 1.0, True, "1", [1], None)}) == 6
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("completion", "blocks"),
    [
        ("```json\n1\n```", [("json", "1")]),
        ("so:\n```JSON x\n1\n2\n```\nand\n```\n3\n```", [("json", "1\n2"), ("", "3")]),
        ("   ```\n1\n   ```", [("", "1")]),
        ("````\n```\n1\n```\n````", [("", "```\n1\n```")]),
        ("```\n1\n```` ", [("", "1")]),
        ("```\n1\n``` x\n```", [("", "1\n``` x")]),
        ("```json\n1", []),
        ("    ```\n1\n```", []),
        ("``` `a` ```\n1", []),
        ("a ```\n1\n```", []),
        ("```\n```", [("", "")]),
        ("```json\r\n1\r\n```\r", [("json", "1\r")]),
    ],
)
def test_fenced_blocks(completion, blocks):
    assert list(fenced_blocks(completion)) == blocks
