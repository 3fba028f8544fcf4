"""A reflection that holds the answer of its retry is found, however the answer is written."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.verify.expression import parse
from reflection_trainer.verify.leak import leaks
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.same_expression import holds_expression

from ...support.hostile import HOSTILE
from .test_countdown_properties import Node, Tree, render, trees, value

EXACT, COUNTDOWN, CALLS = map(make_verifier, ("exact", "countdown", "function_call"))


@pytest.mark.parametrize(
    ("reflection", "retry", "given_away"),
    [
        ("use <b>3 + 4</b> next time", "I say <answer>3+4</answer>", True),
        ("the answer is 3  +\n4", "3 + 4", True),
        ("say alpha", "thinking\n\nalpha\n", True),
        ("it is \\frac{1}{2}", "So it is $\\boxed{\\frac{1}{2}}$.", True),
        ("it is \\frac{1}{2}", "So \\boxed{9} or rather $\\boxed{\\frac{1}{2}", False),
        ("it is 9.5", "So \\boxed{\\frac{19}{2}}", False),
        ("write def f(x):\n  return x", "Here:\n```python\ndef f(x):\n    return x\n```\nDone.", True),
        ("write def f(x)", "Here:\n```python\ndef f(x):\n    return x\n```\nDone.", False),
        ("the answer is 110", "10", False),
        ("the answer is 110", "<answer>110</answer>", True),
        ("\u7b54\u6848\u662f\u5317\u4eac\u5e02\u5427", "\u5317\u4eac\u5e02", True),
        ("use addition", "<answer>3 + 4</answer>", False),
        ("7 is near", "7", False),  # too short to tell
        ("anything", "", False),
        ("", "alpha", False),
    ],
)
def test_the_text_of_an_answer(reflection, retry, given_away):
    assert leaks(reflection, retry, EXACT) is given_away


@pytest.mark.parametrize(
    "reflection",
    [
        "try 8 * 3 next time",
        "try 3 * 8.",
        "3*8 = 24 would do",
        "24 = (3 * 8)",
        "I could have said ((8) * (3)).",
        "8 \u00d7 3",
        "$3 \\times 8$",
        "3x8",
        "first 2 then (3 * 8",
        "not 8 + 3 but\n3 *\n8",
    ],
)
def test_the_same_expression_written_another_way(reflection):
    assert leaks(reflection, "So <answer>8 * 3 = 24</answer>", COUNTDOWN)
    assert leaks(reflection, "8 * 3", COUNTDOWN)


@pytest.mark.parametrize(
    "reflection",
    [
        "multiply 8 and 3",
        "8 + 3 is not 24",
        "8 * 3.5 is 28",
        "8 / 3",
        "8 * 33",
        "18 * 3",
        "24",
        "use 8, then * , then 3",
        "8 * 8",
        "",
    ],
)
def test_another_expression_is_no_leak(reflection):
    assert not leaks(reflection, "<answer>8 * 3 = 24</answer>", COUNTDOWN)


def test_parts_in_parentheses_and_signs():
    retry = "<answer>(7 - 3) * (2 + 4) / 5</answer>"
    for same in ("(4 + 2) * (7 - 3) / 5", "so (2 + 4) / 5 * (7 - 3), yes", "((2+4)*(7-3))/5"):
        assert leaks(same, retry, COUNTDOWN), same
    for other in ("(3 - 7) * (2 + 4) / 5", "7 - 3 * 2 + 4 / 5", "(7 - 3) * (2 + 4) * 5", "(7 - 3) * (2 + 4)"):
        assert not leaks(other, retry, COUNTDOWN), other
    assert leaks("9 - 2 + 1", "<answer>9 - (2 - 1)</answer>", COUNTDOWN)
    assert not leaks("the number 24", "<answer>24</answer>", make_verifier("countdown"))


def turned(tree: Tree, data: st.DataObject) -> Tree:
    """The same sum or product in another order."""
    if isinstance(tree, int):
        return tree
    left, right = turned(tree.left, data), turned(tree.right, data)
    if tree.operator in "+*" and data.draw(st.booleans()):
        return Node(tree.operator, right, left)
    return Node(tree.operator, left, right)


PROSE = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "P"], exclude_characters="()-/*+xX\\"))


@given(trees(least=2), PROSE, PROSE, st.data())
def test_any_expression_is_found_in_prose_in_any_order(made, before, after, data):
    _, tree = made
    answer = " ".join(render(tree, data.draw(st.data())))
    other = " ".join(render(turned(tree, data), data.draw(st.data())))
    assert holds_expression(f"{before} {other} {after}", parse(answer))


@given(trees(least=2), trees(least=2), st.data())
def test_what_is_found_has_the_same_value(one, other, data):
    texts = [" ".join(render(tree, data.draw(st.data()))) for _, tree in (one, other)]
    values = [value(tree) for _, tree in (one, other)]
    if (
        holds_expression(texts[0], parse(texts[1]))
        and sorted(one[0]) == sorted(other[0])
        and None not in values
    ):
        assert values[0] == values[1]


def test_the_same_calls_written_another_way():
    retry = '<tool_call>{"name": "area", "arguments": {"base": 3, "height": 4}}</tool_call>'
    same = {"function": {"name": "area", "arguments": '{"height": 4, "base": 3}'}}
    assert leaks(f"next time say {json.dumps([same])}, please", retry, CALLS)
    assert not leaks('say {"name": "area", "arguments": {"base": 3, "height": 5}}', retry, CALLS)
    assert not leaks("call area with base 3 and height 4", retry, CALLS)
    assert not leaks("call nothing", "I call nothing at all", CALLS)


@pytest.mark.parametrize("verifier", [EXACT, COUNTDOWN, CALLS], ids=lambda verifier: verifier.name)
def test_hostile_texts_are_bounded(verifier):
    for case, text in HOSTILE.items():
        started = time.process_time()
        for pair in ((text, "<answer>3 * 4</answer>"), ("<answer>3 * 4</answer>", text), (text, text)):
            leaks(*pair, verifier)
        assert time.process_time() - started < 3, case


def test_many_numbers_are_bounded():
    started = time.process_time()
    for text in (
        " ".join(f"8 {n}" for n in range(15_000)),
        "8 3 " * 25_000,
        "(8 * " * 20_000,
        "8 * 3 + " * 12_000,
    ):
        assert not leaks(text, "<answer>8 * 3 / 3 + 8</answer>", COUNTDOWN)
    assert time.process_time() - started < 4


@given(st.text(), st.text())
def test_a_leak_is_decided_for_any_text(reflection, retry):
    if leaks(reflection, retry, EXACT):
        assert leaks(f"before {reflection} after", retry, EXACT)
