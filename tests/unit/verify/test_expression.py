"""The parser against two oracles that share no code with it: Python's own grammar, and brute force over the numbers."""

from __future__ import annotations

import ast
import itertools
import operator
import warnings
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.verify.countdown import Countdown
from reflection_trainer.verify.expression import evaluate, numbers, parse, parse_equation

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class NotArithmetic(ValueError):
    pass


def python_value(text: str) -> Fraction | None:
    """What Python makes of the text, if it is nothing but binary arithmetic on whole numbers; None for a division by zero."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text.strip(" "), mode="eval").body
    except SyntaxError as error:
        raise NotArithmetic from error
    _refuse_all_but_arithmetic(tree)
    try:
        return _value(tree)
    except ZeroDivisionError:
        return None


def _refuse_all_but_arithmetic(node: ast.expr) -> None:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        _refuse_all_but_arithmetic(node.left)
        _refuse_all_but_arithmetic(node.right)
    elif not (isinstance(node, ast.Constant) and type(node.value) is int):
        raise NotArithmetic


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    assert isinstance(node, ast.Constant)
    return Fraction(node.value)


def agrees(text: str) -> None:
    expression = parse(text)
    try:
        expected = python_value(text)
    except NotArithmetic:
        assert expression is None, text
        return
    if expression is None:
        # Python's zero may be written with many digits, ours may not.
        assert "00" in text, text
        return
    assert evaluate(expression) == expected, text


def test_agrees_with_python_on_every_short_string():
    for length in range(1, 6):
        for characters in itertools.product("03+-*/() ", repeat=length):
            agrees("".join(characters))


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from([*"0123456789+-*/()", " ", "12", "(3", "4)", "+ 5", "* 6"]), max_size=16).map(
        "".join
    )
)
def test_agrees_with_python_on_longer_strings(text):
    if text:
        agrees(text)


def splits(values: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for chosen in range(1, 2 ** len(values) - 1):
        left = tuple(v for i, v in enumerate(values) if chosen >> i & 1)
        right = tuple(v for i, v in enumerate(values) if not chosen >> i & 1)
        yield left, right


def all_expressions(values: tuple[int, ...]) -> Iterator[tuple[str, Fraction]]:
    """Every way to combine the values, fully parenthesised, with its value."""
    if len(values) == 1:
        yield str(values[0]), Fraction(values[0])
        return
    for left, right in splits(values):
        for (a, x), (b, y) in itertools.product(all_expressions(left), all_expressions(right)):
            for sign, apply in (("+", operator.add), ("-", operator.sub), ("*", operator.mul)):
                yield f"({a} {sign} {b})", apply(x, y)
            if y:
                yield f"({a} / {b})", x / y


@pytest.mark.parametrize("nums", [(3, 4), (0, 5), (2, 2, 7), (1, 5, 6), (9, 3, 3)])
def test_agrees_with_brute_force_over_the_numbers(nums):
    """Each combination is right for its own value and misses every other value that the numbers reach."""
    found = list(all_expressions(nums))
    reachable = sorted({int(value) for _, value in found if value.denominator == 1})
    assert len(reachable) >= 3
    for text, value in found:
        targets = [*reachable, reachable[-1] + 1]
        items = [
            Item(id=str(target), completion=text, row={"nums": list(nums), "target": target})
            for target in targets
        ]
        right = [int(verdict.id) for verdict in Countdown().verify(items) if verdict.correct]
        assert right == [target for target in targets if target == value], text


def test_agrees_with_brute_force_on_the_classic_puzzle():
    """3 3 8 8 makes 24 only over a fraction."""
    row = {"nums": [3, 3, 8, 8], "target": 24}
    found = [(text, value) for text, value in all_expressions((3, 3, 8, 8)) if abs(value - 24) <= 1]
    verdicts = Countdown().verify([Item(id=text, completion=text, row=row) for text, _ in found])
    assert {v.id for v in verdicts if v.correct} == {text for text, value in found if value == 24}
    assert any(v.correct for v in verdicts)
    assert not all(v.correct for v in verdicts)


def test_operators_of_one_rank_associate_to_the_left():
    assert evaluate(parse("20 - 5 - 5") or []) == 10
    assert evaluate(parse("100 / 5 * 2") or []) == 40
    assert evaluate(parse("1 / 3 + 2 / 3") or []) == 1


def test_numbers_keep_their_digits():
    assert numbers(parse("10 + 9 * 10") or []) == ["10", "10", "9"]
    long = "9" * 100_000
    assert numbers(parse(long) or []) == [long]


def test_an_equation_is_its_left_side():
    assert parse_equation("1 + 2 = 4") == ["1", "2", "+"]
    assert parse_equation("1 + 2") == ["1", "2", "+"]
    for text in ("1 + 2 == 3", "1 = 1 = 1", "1 =", "= 1", "=", "", "1 = x", "x = 1"):
        assert parse_equation(text) is None


def test_ten_thousand_parentheses_are_no_matter():
    assert parse("(" * 10_000 + "1" + ")" * 10_000) == ["1"]
    assert parse("(" * 10_000 + "1" + ")" * 9_999) is None
    assert parse("(" * 9_999 + "1" + ")" * 10_000) is None
