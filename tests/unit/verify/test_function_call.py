"""What function_call calls right, and which kind of wrong the rest is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

AREA = {"name": "area", "arguments": {"base": 3, "height": 4}}
WEATHER = {"name": "weather", "arguments": {"city": "Ulm"}}
OTHER = {"name": "weather", "arguments": {"city": "Bonn"}}


def reason(completion: object, answers: object, tools: object = None, **options: bool) -> str:
    text = completion if isinstance(completion, str) else json.dumps(completion)
    row = {"answers": answers} | ({} if tools is None else {"tools": tools})
    verifier = make_verifier("function_call", options)
    verifier.check_row(row)
    [verdict] = verifier.verify([Item(id="x", completion=text, row=row)])
    assert verdict.correct == (verdict.reason == "correct")
    return verdict.reason


def openai(call: dict[str, object]) -> dict[str, object]:
    function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
    return {"id": "call_1", "type": "function", "function": function}


CALL = json.dumps(AREA)


@pytest.mark.parametrize(
    "completion",
    [
        CALL,
        f"[{CALL}]",
        f"I call it.\n{CALL}\nDone.",
        f"```json\n{CALL}\n```",
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"<tool_call>{CALL}</tool_call> and again {CALL}",
        f"<tool_call>{CALL}</tool_call><tool_call>{{",
        f"{CALL} {CALL}",
        json.dumps(openai(AREA)),
        json.dumps([openai(AREA)]),
        json.dumps({"role": "assistant", "content": None, "tool_calls": [openai(AREA)]}),
        json.dumps({"arguments": {"height": 4, "base": 3}, "name": "area"}),
        json.dumps({"id": "1", **AREA}),
        json.dumps({**AREA, "arguments": json.dumps(AREA["arguments"])}),
        f"As in [1] and {{x}}, the area is [3, 4]: {CALL}",
        f'{{"base": 3}} {CALL}',
        f"{{x}} {CALL}",
    ],
)
def test_right(completion):
    assert reason(completion, [AREA]) == "correct"


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("", "no_call"),
        ("I cannot do that.", "no_call"),
        ("area(base=3, height=4)", "no_call"),
        ("[3, 4]", "no_call"),
        ("[]", "no_call"),
        ('{"base": 3, "height": 4}', "no_call"),
        (f"<tool_call>{CALL}", "correct"),
        ('{"name": "area", "arguments": {"base": 3', "invalid_call"),
        ("{'name': 'area', 'arguments': {}}", "invalid_call"),
        (f"[{CALL}, ", "invalid_call"),
        (f'[{CALL}, {{"name": "weather"', "invalid_call"),
        (f"{{{{{CALL}", "invalid_call"),
        ('{"name": "area"}', "invalid_call"),
        ('{"name": "area", "parameters": {"base": 3, "height": 4}}', "invalid_call"),
        ('{"name": "area", "arguments": [3, 4]}', "invalid_call"),
        ('{"name": "area", "arguments": "base=3"}', "invalid_call"),
        ('{"name": 7, "arguments": {}}', "invalid_call"),
        (json.dumps({**AREA, "reason": "it is asked for"}), "invalid_call"),
        (json.dumps({"tool_calls": AREA}), "invalid_call"),
        (json.dumps({"type": "object", "function": AREA, "x": 1}), "invalid_call"),
        ('{"name": "area", "name": "area", "arguments": {"base": 3, "height": 4}}', "invalid_call"),
        ('{"name": "area", "arguments": {"base": 3, "base": 3, "height": 4}}', "invalid_call"),
        ('{"name": "area", "arguments": {"base": NaN, "height": 4}}', "invalid_call"),
        (f"<tool_call>{CALL}}}</tool_call>", "invalid_call"),
        (f"<tool_call>call it</tool_call>{CALL}", "invalid_call"),
        (f"<tool_call>{CALL}<tool_call>{CALL}</tool_call>", "invalid_call"),
        (f'{CALL}{{"name": "area"}}', "invalid_call"),
        (f"{CALL} or {json.dumps(WEATHER)}", "several_answers"),
        (f"{CALL} or rather [{CALL}, {CALL}]", "several_answers"),
        ([AREA, AREA], "wrong_count"),
        (f"<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call>", "wrong_count"),
        ({"tool_calls": []}, "wrong_count"),
        (WEATHER, "wrong_tool"),
        ({**AREA, "name": "Area"}, "wrong_tool"),
        ({**AREA, "name": " area"}, "wrong_tool"),
        ({"name": "area", "arguments": {"base": 3}}, "wrong_parameters"),
        ({"name": "area", "arguments": {"base": 3, "height": 4, "unit": "m"}}, "wrong_parameters"),
        ({"name": "area", "arguments": {"base": 3, "Height": 4}}, "wrong_parameters"),
        ({"name": "area", "arguments": {"base": 4, "height": 3}}, "wrong_values"),
        ({"name": "area", "arguments": {"base": 3.0, "height": 4}}, "wrong_values"),
        ({"name": "area", "arguments": {"base": "3", "height": 4}}, "wrong_values"),
        ({"name": "area", "arguments": {"base": [3], "height": 4}}, "wrong_values"),
        ({"name": "area", "arguments": {"base": None, "height": 4}}, "wrong_values"),
        (f"{CALL}{' ' * 100_000}", "too_long"),
    ],
)
def test_verdict(completion, expected):
    assert reason(completion, [AREA]) == expected


def test_true_is_not_one():
    assert (
        reason({"name": "f", "arguments": {"a": True}}, [{"name": "f", "arguments": {"a": 1}}])
        == "wrong_values"
    )
    wanted = [{"name": "f", "arguments": {"a": True}}]
    assert reason({"name": "f", "arguments": {"a": 1}}, wanted, coerceNumbers=True) == "wrong_values"


def test_order_counts_only_where_it_is_asked_for():
    assert reason([WEATHER, AREA, OTHER], [AREA, OTHER, WEATHER]) == "correct"
    assert reason([WEATHER, AREA, OTHER], [AREA, OTHER, WEATHER], ordered=True) == "wrong_order"
    assert reason([WEATHER, AREA, AREA], [AREA, WEATHER, AREA]) == "correct"
    assert reason([WEATHER, WEATHER], [WEATHER, OTHER]) == "wrong_values"
    assert (
        reason(f"{json.dumps([WEATHER, OTHER])} {json.dumps([OTHER, WEATHER])}", [WEATHER, OTHER])
        == "correct"
    )
    both = f"{json.dumps([WEATHER, OTHER])} {json.dumps([OTHER, WEATHER])}"
    assert reason(both, [WEATHER, OTHER], ordered=True) == "several_answers"


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (3.0, 3, True),
        ("3", 3, True),
        (3, "3.0", True),
        ("-0.5e1", -5, True),
        ("3", "3", True),
        ([1.0, {"a": "2"}], [1, {"a": 2}], True),
        (2**53 + 1, float(2**53), False),
        ("03", 3, False),
        (" 3", 3, False),
        ("three", 3, False),
        ("\uff13", 3, False),
        (True, 1, False),
        ("NaN", "NaN", True),
        ("1e999", 1, False),
        (None, 0, False),
    ],
)
def test_numbers_by_value(value, wanted, same):
    call, answers = {"name": "f", "arguments": {"a": value}}, [{"name": "f", "arguments": {"a": wanted}}]
    assert reason(call, answers, coerceNumbers=True) == ("correct" if same else "wrong_values")


def test_alternatives():
    answers = [
        {"name": "f", "arguments": {"a": [1, "one"], "b": ["x", ""], "c": [{"d": [1, 2], "e": [""]}, ""]}}
    ]

    def judged(**arguments: object) -> str:
        return reason({"name": "f", "arguments": arguments}, answers, acceptAny=True)

    assert judged(a=1) == judged(a="one", b="x") == judged(a=1, b="") == judged(a=1, c={"d": 2}) == "correct"
    assert judged(b="x") == judged(a=1, f=1) == "wrong_parameters"
    assert judged(a=2) == judged(a=[1]) == judged(a=1, c={"d": 3}) == judged(a=1, c={}) == "wrong_values"
    assert judged(a=1, c={"d": 1, "g": 1}) == "wrong_values"


def test_the_calls_of_a_set_find_their_partners_whatever_the_alternatives():
    """Greedy pairing fails here: the first call fits both, the second one only the first."""
    answers = [{"name": "f", "arguments": {"a": [1, 2]}}, {"name": "f", "arguments": {"a": [1]}}]
    for order in ([1, 2], [2, 1]):
        calls = [{"name": "f", "arguments": {"a": value}} for value in order]
        assert reason(calls, answers, acceptAny=True) == "correct"
    assert reason([{"name": "f", "arguments": {"a": 2}}] * 2, answers, acceptAny=True) == "wrong_values"


def test_tools_tell_an_invented_tool_from_a_wrong_one():
    tools = [{"name": "area", "parameters": {}}, {"type": "function", "function": {"name": "weather"}}]
    for form in (tools, json.dumps(tools)):
        assert reason(WEATHER, [AREA], form) == "wrong_tool"
        assert reason({"name": "volume", "arguments": {}}, [AREA], form) == "unknown_tool"


def test_columns_may_be_texts_as_in_published_data():
    assert reason(AREA, json.dumps([AREA]), json.dumps([{"name": "area"}])) == "correct"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(-9, 9).filter(lambda x: not x.is_integer())
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
CALLS = st.builds(
    lambda name, arguments: {"name": name, "arguments": arguments},
    st.sampled_from(["f", "g", "math.h"]),
    st.dictionaries(st.text(min_size=1, max_size=4), VALUES, min_size=1, max_size=4),
)
PROSE = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="{[<"), max_size=30)


def written(calls: list[dict[str, object]], data: st.DataObject) -> str:
    shape = data.draw(st.sampled_from(["list", "openai", "message", "tags", "fence", "alone"]))
    if shape == "tags":
        return "".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)
    value = {"list": calls, "openai": [openai(call) for call in calls], "message": {"tool_calls": calls}}.get(
        shape, calls
    )
    text = json.dumps(
        calls[0] if shape == "alone" and len(calls) == 1 else value,
        indent=data.draw(st.sampled_from([None, 2])),
    )
    return f"```json\n{text}\n```" if shape == "fence" else text


@given(st.lists(CALLS, min_size=1, max_size=4), PROSE, PROSE, st.data())
def test_right_by_construction_passes(calls, before, after, data):
    completion = f"{before}\n{written(data.draw(st.permutations(calls)), data)}\n{after}"
    assert reason(completion, calls) == "correct"
    verifier = make_verifier("function_call")
    assert reason(verifier.gold({"answers": calls}), calls) == "correct"


@given(st.lists(CALLS, min_size=1, max_size=3), st.data())
def test_every_smallest_corruption_fails_with_its_class(calls, data):
    index = data.draw(st.integers(0, len(calls) - 1))
    call = calls[index]
    name = data.draw(st.sampled_from(sorted(call["arguments"])))

    def judged(changed: list[dict[str, object]]) -> str:
        return reason(written(changed, data), calls)

    def with_call(**changes: object) -> list[dict[str, object]]:
        return [*calls[:index], call | changes, *calls[index + 1 :]]

    assert judged([*calls, call]) == "wrong_count"
    assert judged(with_call(name="none")) == "wrong_tool"
    rest = {key: value for key, value in call["arguments"].items() if key != name}
    assert judged(with_call(arguments=rest)) == "wrong_parameters"
    assert judged(with_call(arguments=call["arguments"] | {"x" * 5: 1})) == "wrong_parameters"
    assert judged(with_call(arguments=rest | {f"{name}X": call["arguments"][name]})) == "wrong_parameters"
    assert judged(with_call(arguments=rest | {name: [call["arguments"][name], 0]})) == "wrong_values"
    assert reason(json.dumps(calls)[:-1], calls) == "invalid_call"
    assert reason(json.dumps(call)[:-1], [call]) == "invalid_call"


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ({}, "answers", 'row has no "answers", which the function_call verifier needs (columns found: none)'),
        ({"answers": "[{"}, "answers", "answers is a string, but not JSON ("),
        ({"answers": 7}, "answers", "answers is an integer: 7"),
        ({"answers": []}, "answers", "answers has 0 calls"),
        ({"answers": [AREA] * 65}, "answers", "answers has 65 calls"),
        ({"answers": [{"name": "f"}]}, "answers", "answers has not the shape of calls"),
        ({"answers": [[AREA]]}, "answers", "answers has not the shape of calls"),
        ({"answers": [AREA], "tools": "x"}, "tools", "tools is a string, but not JSON ("),
        ({"answers": [AREA], "tools": {"name": "area"}}, "tools", "tools is an object"),
        ({"answers": [AREA], "tools": [{"title": "area"}]}, "tools", "tools has one without a name"),
        (
            {"answers": [AREA], "tools": [WEATHER]},
            "answers",
            'answers calls "area", which is not among the row',
        ),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, column, problem):
    with pytest.raises(RowError) as error:
        make_verifier("function_call").check_row(row)
    assert error.value.column == column
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


def test_alternatives_must_be_lists():
    with pytest.raises(RowError, match="answers has for base of area an integer: 3"):
        make_verifier("function_call", {"acceptAny": True}).check_row({"answers": [AREA]})
