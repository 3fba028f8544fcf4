"""What json_schema calls right. Values are made from schemas by construction, then corrupted one place at a time."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_api.verifiers import InvalidVerifier
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

VERIFIER = make_verifier("json_schema")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


def reasons(*pairs: tuple[str, object]) -> list[str]:
    items = [
        Item(id=str(n), completion=text, row={"schema": schema}) for n, (text, schema) in enumerate(pairs)
    ]
    verdicts = VERIFIER.verify(items)
    assert all(verdict.correct == (verdict.reason == "correct") for verdict in verdicts)
    return [verdict.reason for verdict in verdicts]


@pytest.mark.parametrize(
    ("completion", "schema", "expected"),
    [
        ('{"name": "Ann", "age": 7}', PERSON, "correct"),
        (' {"name": "Ann"}\n', PERSON, "correct"),
        ('Here:\n```json\n{"name": "Ann"}\n```\nDone.', PERSON, "correct"),
        ('```json\n{"name": 1}\n```\n```\n{"name": "Ann"}\n```', PERSON, "correct"),
        ('```json\n{"name": "Ann"}\n```\n```python\nprint(1)\n```', PERSON, "correct"),
        ('{"name": "Ann"}', json.dumps(PERSON), "correct"),
        ("7", True, "correct"),
        ("7", False, "schema_mismatch"),
        ("7.0", {"type": "integer"}, "correct"),
        ("true", {"type": "integer"}, "schema_mismatch"),
        ("true", {"const": 1}, "schema_mismatch"),
        ("[1, true]", {"uniqueItems": True}, "correct"),
        ("[1, 1.0]", {"uniqueItems": True}, "schema_mismatch"),
        ('{"name": ""}', PERSON, "schema_mismatch"),
        ('{"name": "Ann", "age": -1}', PERSON, "schema_mismatch"),
        ('{"name": "Ann", "age": "7"}', PERSON, "schema_mismatch"),
        ('{"name": "Ann", "job": 1}', PERSON, "schema_mismatch"),
        ("{}", PERSON, "schema_mismatch"),
        ("[]", PERSON, "schema_mismatch"),
        ('Here: {"name": "Ann"}', PERSON, "invalid_json"),
        ('{"name": "Ann"', PERSON, "invalid_json"),
        ('{"name": "Ann"} {"name": "Ann"}', PERSON, "invalid_json"),
        ('{"name": "Ann", "name": "Ann"}', PERSON, "invalid_json"),
        ('{"name": "Ann", "age": NaN}', PERSON, "invalid_json"),
        ('{"name": "Ann", "age": 1e999}', PERSON, "invalid_json"),
        ("{'name': 'Ann'}", PERSON, "invalid_json"),
        ('{"name": "Ann"}\n```json\n{"name"', PERSON, "invalid_json"),
        ("", PERSON, "no_answer"),
        (" \n", PERSON, "no_answer"),
        ('{"name": "Ann"}\n```json\n\n```', PERSON, "no_answer"),
        ('"' + "x" * 100_000 + '"', {"type": "string"}, "too_long"),
        ('"' + "x" * 99_998 + '"', {"type": "string"}, "correct"),
        ("1" + "0" * 399, {"multipleOf": 0.5}, "schema_mismatch"),
        ('"2020-99-99"', {"format": "date"}, "correct"),
    ],
)
def test_verdict(completion, schema, expected):
    assert reasons((completion, schema)) == [expected]


def test_the_option_stands_in_for_rows_without_a_schema():
    verifier = make_verifier("json_schema", {"schema": '{"type": "integer"}'})
    items = [
        Item(id=str(n), completion="7", row=row)
        for n, row in enumerate([{}, {"schema": None}, {"schema": False}])
    ]
    assert [verdict.correct for verdict in verifier.verify(items)] == [True, True, False]


def test_what_would_take_forever_is_stopped():
    """A pattern that backtracks, and a schema that doubles its work with each level of the answer."""
    deep: object = {}
    for _ in range(31):
        deep = {"a": deep}
    doubling = {"properties": {"a": {"$ref": "#"}}, "allOf": [{"properties": {"a": {"$ref": "#"}}}]}
    started = time.monotonic()
    assert reasons(
        (json.dumps("a" * 40 + "!"), {"pattern": "^(a+)+$"}),
        (json.dumps(deep), doubling),
        ("7", {"$ref": "#"}),
        ("7", {"type": "integer"}),
    ) == ["too_complex", "too_complex", "too_complex", "correct"]
    assert time.monotonic() - started < 60


FIELDS = {
    "integer": (st.integers(-99, 99), st.text(max_size=3)),
    "string": (st.text(max_size=5), st.integers()),
    "boolean": (st.booleans(), st.sampled_from([0, 1, "true", None])),
    "array": (st.lists(st.integers(), max_size=3), st.just({})),
    "null": (st.none(), st.sampled_from([0, False, "", "null"])),
}


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=4), st.sampled_from(list(FIELDS)), min_size=1, max_size=4), st.data())
def test_right_by_construction_passes_and_every_corruption_fails(types, data):
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in types.items()},
        "required": list(types),
        "additionalProperties": False,
    }
    value = {name: data.draw(FIELDS[kind][0]) for name, kind in types.items()}
    corrupted = [{other: value[other] for other in value if other != name} for name in value]
    corrupted += [value | {name: data.draw(FIELDS[kind][1])} for name, kind in types.items()]
    corrupted.append(value | {"x" * 5: None})
    right = json.dumps(value)
    texts = [
        right,
        f"So:\n```json\n{json.dumps(value, indent=1)}\n```",
        *map(json.dumps, corrupted),
        right[: data.draw(st.integers(1, len(right) - 1))],
        f"{right}{{",
    ]
    found = reasons(*((text, schema) for text in texts))
    mismatches = ["schema_mismatch"] * len(corrupted)
    assert found == ["correct", "correct", *mismatches, "invalid_json", "invalid_json"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"answer": 1}, 'row has no "schema", which the json_schema verifier needs (columns found: answer)'),
        ({"schema": 7}, "schema is an integer: 7"),
        ({"schema": "{"}, "schema cannot be used: it is not JSON: "),
        ({"schema": {"type": "text"}}, "schema cannot be used: $.type: 'text' is not valid"),
        ({"schema": {"properties": []}}, "schema cannot be used: $.properties: [] is not of type 'object'"),
        (
            {"schema": {"$ref": "https://example.com/x.json"}},
            "schema cannot be used: it refers to https://example.com/x.json",
        ),
        (
            {"schema": {"items": {"$ref": "file:///etc/passwd"}}},
            "schema cannot be used: it refers to file:///etc/passwd",
        ),
        (
            {"schema": {"$ref": "#/$defs/a"}},
            "schema cannot be used: it refers to #/$defs/a, which is not there",
        ),
        (
            {"schema": {"$schema": "http://json-schema.org/draft-07/schema#"}},
            "schema cannot be used: its $schema is not",
        ),
        ({"schema": {"items": {"$id": "x"}}}, "schema cannot be used: it has $id inside"),
        ({"schema": {"enum": ["x" * 100_000]}}, "schema cannot be used: it has 100,013 characters as JSON"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, problem):
    with pytest.raises(RowError) as error:
        VERIFIER.check_row(row)
    assert error.value.column == "schema"
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"type": 7}', r"options.schema: \$.type: 7 is not valid"),
        ("{", "options.schema: it is not JSON: "),
        ({}, "options.schema: {} should be a valid string"),
    ],
)
def test_a_bad_option_is_refused(schema, message):
    with pytest.raises(InvalidVerifier, match=message):
        make_verifier("json_schema", {"schema": schema})
