"""What countdown calls right, and which kind of wrong the rest is."""

from __future__ import annotations

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.countdown import Countdown
from reflection_trainer.verify.verifier import RowError

ROW = {"nums": [3, 4], "target": 12}


def reason(completion: str, nums: list[int] | None = None, target: int = 12) -> str:
    row = {"nums": nums or [3, 4], "target": target}
    [verdict] = Countdown().verify([Item(id="x", completion=completion, row=row)])
    assert verdict.correct == (verdict.reason == "correct")
    return verdict.reason


@pytest.mark.parametrize(
    "completion",
    [
        "3 * 4",
        "<answer>3*4</answer>",
        "<answer>\n\t( (3) * 4 )\r\n</answer>",
        "<answer>3\n* 4</answer>",
        "3 * 4 = 12",
        "3 * 4=6+6",
        "I multiply.\n3 * 4\n",
        "I multiply.\r\n3 * 4\r\n",
        "3 + 4\nNo, that is 7.\n3 * 4\nThat is it.",
        "<answer>3 + 4</answer> Wait. <answer>3 * 4</answer>",
        "3 + 4\n<answer>3 * 4</answer>\n3 + 4",
        "<answer>3 * 4</answer> and then <answer>3 +",
        "<answer>3 * 4</answer></answer>",
        "</answer><answer>3 * 4</answer>",
        "<answer><answer>3 * 4</answer>",
        "<answer>3 * 4</answer><answer",
    ],
)
def test_right(completion):
    assert reason(completion) == "correct"


@pytest.mark.parametrize(
    ("completion", "nums", "target"),
    [
        ("8 / (3 - 8 / 3)", [3, 3, 8, 8], 24),
        ("20 - 5 - 5", [5, 5, 20], 10),
        ("100 / 5 / 2", [2, 5, 100], 10),
        ("2 + 3 * 4", [2, 3, 4], 14),
        ("5 - 8", [5, 8], -3),
        ("7", [7], 7),
        ("0 * 5", [0, 5], 0),
        ("999999999999999998 + 1", [1, 999999999999999998], 999999999999999999),
    ],
)
def test_right_values(completion, nums, target):
    assert reason(completion, nums, target) == "correct"


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("", "no_equation"),
        ("I do not know.", "no_equation"),
        ("Take 3 and 4 and multiply.", "no_equation"),
        ("The answer is 3 * 4", "no_equation"),
        ("<answer></answer>", "no_equation"),
        ("<answer> \n </answer>", "no_equation"),
        ("3 * 4\n<answer>none</answer>", "no_equation"),
        ("<answer>3 * 4", "no_equation"),
        ("<Answer>3 * 4</Answer>", "no_equation"),
        ("<answer>The answer is 3 * 4</answer>", "invalid_equation"),
        ("<answer>3 * 4.</answer>", "invalid_equation"),
        ("<answer>3 * 4 </ answer></answer>", "invalid_equation"),
        ("<answer>[3 * 4]</answer>", "invalid_equation"),
        ("<answer>{3 * 4}</answer>", "invalid_equation"),
        ("<answer>3 * 4; import os</answer>", "invalid_equation"),
        ("<answer>__import__('os').system('echo 12')</answer>", "invalid_equation"),
        ("-3 * -4", "invalid_equation"),
        ("+3 * 4", "invalid_equation"),
        ("3 * (-4)", "invalid_equation"),
        ("3 * 4 == 12", "invalid_equation"),
        ("3 * 4 = 12 = 12", "invalid_equation"),
        ("3 * 4 =", "invalid_equation"),
        ("= 3 * 4", "invalid_equation"),
        ("3 * 4 = -12", "invalid_equation"),
        ("3 * 4 = 12.0", "invalid_equation"),
        ("3 ** 4", "invalid_equation"),
        ("3 // 4", "invalid_equation"),
        ("3 % 4", "invalid_equation"),
        ("3 ^ 4", "invalid_equation"),
        ("3(4)", "invalid_equation"),
        ("(3)(4)", "invalid_equation"),
        ("3 4", "invalid_equation"),
        ("(3 * 4", "invalid_equation"),
        ("3 * 4)", "invalid_equation"),
        (")3 * 4(", "invalid_equation"),
        ("() 3 * 4", "invalid_equation"),
        ("03 * 4", "invalid_equation"),
        ("3.0 * 4", "invalid_equation"),
        ("3e0 * 4", "invalid_equation"),
        ("3_0 * 4", "invalid_equation"),
        ("3 x 4", "invalid_equation"),
        ("3 \u00d7 4", "invalid_equation"),
        ("24 \u00f7 2", "invalid_equation"),
        ("16 \u2212 4", "invalid_equation"),
        ("3 \uff0a 4", "invalid_equation"),
        ("3 \u2217 4", "invalid_equation"),
        ("3\u00a0* 4", "invalid_equation"),
        ("3\u200b* 4", "invalid_equation"),
        ("\uff13 * 4", "invalid_equation"),
        ("\u0663 * 4", "invalid_equation"),
        ("3\u0663 * 4", "invalid_equation"),
        ("\uff113 * 4", "invalid_equation"),
        ("3\u00b2 + 3", "invalid_equation"),
        ("3 *\x004", "invalid_equation"),
        ("3", "wrong_numbers"),
        ("12", "wrong_numbers"),
        ("3 * 4\n12", "wrong_numbers"),
        ("12 = 3 * 4", "wrong_numbers"),
        ("3 * 3 + 3", "wrong_numbers"),
        ("3 * 4 * 1", "wrong_numbers"),
        ("3 * 4 + 3 - 3", "wrong_numbers"),
        ("34", "wrong_numbers"),
        ("6 * 2", "wrong_numbers"),
        ("1 / 0", "wrong_numbers"),
        ("3 * 4\n3 + 4", "missed_target"),
        ("<answer>3 * 4</answer><answer>3 + 4</answer>", "missed_target"),
        ("3 + 4 = 12", "missed_target"),
        ("3 - 4", "missed_target"),
        ("<answer>" + "(" * 3000 + "3*4" + ")" * 3000 + "</answer>", "too_long"),
        ("(" * 3000 + "3*4" + ")" * 3000, "too_long"),
        ("3*4" + " " * 5000, "too_long"),
    ],
)
def test_wrong(completion, expected):
    assert reason(completion) == expected


def test_a_long_answer_within_the_limit_is_read():
    assert reason("<answer>" + "(" * 2000 + "3*4" + ")" * 2000 + "</answer>") == "correct"


def test_division_by_zero_has_no_value():
    assert reason("5 / (3 - 3)", [3, 3, 5], 0) == "missed_target"
    assert reason("0 / 5 + 1", [0, 1, 5], 1) == "correct"
    assert reason("0 * (5 / 0)", [0, 0, 5], 0) == "missed_target"


def test_a_long_line_of_prose_is_not_an_attempt():
    assert reason("word 3 " * 1000) == "no_equation"


def test_lines_are_looked_for_near_the_end_and_tags_everywhere():
    far = "\n" + "so it goes\n" * 10_000
    assert reason("3 * 4" + far) == "no_equation"
    assert reason("<answer>3 * 4</answer>" + far) == "correct"
    assert reason("so it goes\n" * 10_000 + "3 * 4") == "correct"


def test_a_batch_keeps_its_order_and_items_do_not_mix():
    completions = ["3 * 4", "3 + 4", "none", "3 * 4"]
    items = [Item(id=f"i{n}", completion=c, row=ROW) for n, c in enumerate(completions)]
    verdicts = Countdown().verify(items)
    assert [v.id for v in verdicts] == ["i0", "i1", "i2", "i3"]
    assert [v.reason for v in verdicts] == ["correct", "missed_target", "no_equation", "correct"]
    assert Countdown().verify([]) == []


def test_rows_may_have_other_columns_and_bounds_are_inclusive():
    Countdown().check_row({"nums": [0], "target": -(10**18) + 1, "prompt": "make it"})
    Countdown().check_row({"nums": [10**18 - 1] * 64, "target": 0})


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ({}, "nums", 'row has no "nums", which the countdown verifier needs (columns found: none)'),
        (
            {"nums": [1], "answer": 3},
            "target",
            'row has no "target", which the countdown verifier needs (columns found: answer, nums)',
        ),
        ({"nums": None, "target": 1}, "nums", "nums is null"),
        ({"nums": "[1, 2]", "target": 1}, "nums", 'nums is a string: "[1, 2]"'),
        ({"nums": 12, "target": 1}, "nums", "nums is an integer: 12"),
        ({"nums": [], "target": 1}, "nums", "nums has 0 entries"),
        ({"nums": [1] * 65, "target": 1}, "nums", "nums has 65 entries"),
        ({"nums": [1, "2"], "target": 1}, "nums", 'nums has a string: "2"'),
        ({"nums": [1, 2.0], "target": 1}, "nums", "nums has a floating-point number: 2.0"),
        ({"nums": [1, float("nan")], "target": 1}, "nums", "nums has a floating-point number: nan"),
        ({"nums": [True], "target": 1}, "nums", "nums has a boolean: true"),
        ({"nums": [[1]], "target": 1}, "nums", "nums has a list: [1]"),
        ({"nums": [1, -2], "target": 1}, "nums", "nums has -2, which no answer can write"),
        ({"nums": [10**18], "target": 1}, "nums", "nums has 1000000000000000000"),
        ({"nums": [1], "target": "1"}, "target", 'target is a string: "1"'),
        ({"nums": [1], "target": None}, "target", "target is null"),
        ({"nums": [1], "target": float("inf")}, "target", "target is a floating-point number: inf"),
        ({"nums": [1], "target": False}, "target", "target is a boolean: false"),
        ({"nums": [1], "target": 10**5000}, "target", "target is an integer of more than 40 digits"),
        ({"nums": [1], "target": {"value": 1}}, "target", "target is an object"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused_with_column_and_remedy(row, column, problem):
    with pytest.raises(RowError) as error:
        Countdown().check_row(row)
    assert error.value.column == column
    assert error.value.problem.startswith(problem)
    assert error.value.remedy
    assert str(error.value) == f"{error.value.problem}; {error.value.remedy}"
    with pytest.raises(RowError):
        Countdown().verify([Item(id="x", completion="3 * 4", row=row)])


def test_a_wide_row_is_named_in_part():
    with pytest.raises(RowError, match=r"c00, .*c11 and 18 more\)"):
        Countdown().check_row({f"c{n:02}": 0 for n in range(30)})
