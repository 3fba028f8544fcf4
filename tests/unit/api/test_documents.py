"""YAML is read as kubectl reads it, every field keeps its line, and what is no YAML is named."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.validation import Problem
from reflection_api.validation.documents import MAX_BYTES, Document, Unreadable, read_documents


def read(text: str) -> list[Document | Problem]:
    return list(read_documents(text.encode(), "run.yaml"))


def value(text: str) -> Any:
    (document,) = read(text)
    assert isinstance(document, Document)
    return document.value


def refusal(data: bytes | str) -> str:
    with pytest.raises(Unreadable) as caught:
        list(read_documents(data.encode() if isinstance(data, str) else data, "run.yaml"))
    return str(caught.value)


# What sigs.k8s.io/yaml 1.6, which kubectl uses, makes of each.
SCALARS: list[tuple[str, Any]] = [
    ("yes", True), ("No", False), ("on", True), ("y", True), ("n", False), ("TRUE", True), ("tRUE", "tRUE"),
    ("~", None), ("null", None), ("Null", None), ("", None),
    ("5e-7", 5e-7), ("5E-7", 5e-7), ("1.0", 1), ("1.", 1), (".5", 0.5), ("-.5", -0.5), ("1e3", 1000), ("1e+5", 100000),
    ("1e999", "1e999"), ("0.1e", "0.1e"), ("1e", "1e"), ("5.", 5), ("+0.0", 0), ("1_000", 1000), ("_1", "_1"), ("._5", "._5"),
    ("0x1F", 31), ("-0x1f", -31), ("0o17", 15), ("017", 15), ("089", 89), ("0b101", 5), ("0b2", "0b2"), ("0x", "0x"),
    ("+5", 5), ("00", 0), ("-0", 0), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("1,000", "1,000"), ("=", "="),
    ("'5'", "5"), ('"yes"', "yes"), ("!!str 5", "5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SCALARS, ids=[text or "empty" for text, _ in SCALARS])
def test_scalars(text: str, expected: Any) -> None:
    found = value(f"key: {text}")["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_endless_digits_are_text() -> None:
    digits = "9" * 5000
    assert value(f"key: {digits}") == {"key": digits}


TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, JSON, min_size=1))
def test_json_is_yaml(written: dict[str, Any]) -> None:
    assert value(json.dumps(written, ensure_ascii=False)) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_read_back(number: float) -> None:
    assert math.isclose(value(f"key: {json.dumps(number)}")["key"], number)


def test_every_field_and_element_has_its_line() -> None:
    document = read("a:\n  b: 1\n  c:\n  - x\n  - y: 2\n\n  d: {e: 1,\n     f: 2}\n")[0]
    assert isinstance(document, Document)
    assert {path: document.line_of(path) for path in [
        ("a",), ("a", "b"), ("a", "c"), ("a", "c", 0), ("a", "c", 1, "y"), ("a", "d", "e"), ("a", "d", "f"),
    ]} == {
        ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1, "y"): 5, ("a", "d", "e"): 7,
        ("a", "d", "f"): 8,
    }  # fmt: skip
    assert document.line_of(("a", "missing", "deep")) == 1


def test_lines_of_later_documents_count_from_the_top_of_the_file() -> None:
    first, second = read("# head\na: 1\n---\n\n---\nb:\n  c: 2\n")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.line, second.line, second.line_of(("b", "c"))) == (2, 6, 7)


def test_duplicate_keys_are_problems_with_both_lines() -> None:
    problem, document = read("spec:\n  a: 1\n  b: 2\n  a: 3\n")
    assert str(problem) == "run.yaml:4: spec.a: duplicate key; it also stands on line 2; keep one"
    assert isinstance(document, Document)


def test_anchors_and_merges() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\nmine:\n  <<: [*base, *other]\n  a: 9\nsame: *base\n"
    assert value(text)["mine"] == {"a": 9, "b": 2, "c": 4}
    assert value(text)["same"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3", "run.yaml:2: not YAML: expected ',' or ']', but got ':'"),
        ("a:\n\t- b", "run.yaml:2: not YAML: found character '\\t' that cannot start any token"),
        ("a: b: c", "run.yaml:1: not YAML: mapping values are not allowed here"),
        ("a: 'open", "run.yaml:1: not YAML: found unexpected end of stream"),
        ("a: *nowhere", "run.yaml:1: not YAML: found undefined alias 'nowhere'"),
        (
            "a: !!python/object:os.system x",
            "run.yaml:1: not YAML: tag tag:yaml.org,2002:python/object:os.system is not known",
        ),
        ("? [1]\n: 2", "run.yaml:1: not YAML: a key is a list or a map"),
        ("<<: 5", "run.yaml:1: not YAML: << takes a map"),
        ("a: \x07", 'run.yaml: not YAML: character "\\u0007" is not allowed; remove it'),
        ("[" * 5000, "run.yaml: nested too deeply"),
        ("a: &a [*a]", "run.yaml:1: more than 200000 values or 100 levels"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_yaml(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_bytes_that_are_not_utf8_are_named_with_their_line() -> None:
    assert refusal(b"a: 1\nb: \xff\n") == "run.yaml:2: byte 0xff is not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_is_no_matter() -> None:
    assert value("\ufeffa: 1") == {"a": 1}


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    assert refusal(b"a" * (MAX_BYTES + 1)) == "run.yaml: larger than 4 MiB; this is no resource"


def test_aliases_cannot_blow_up() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert "more than 200000 values" in refusal(f"l0: &l0 [x]\n{levels}")


def test_the_documents_before_a_broken_one_are_read() -> None:
    found = read_documents(b"a: 1\n---\nb: [", "run.yaml")
    assert isinstance(next(found), Document)
    with pytest.raises(Unreadable):
        next(found)
