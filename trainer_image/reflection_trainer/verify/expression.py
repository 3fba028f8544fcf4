"""Arithmetic on exact rationals: read with a parser of our own, never with `eval`.

The grammar, with white space (space, tab, line ends) allowed between tokens:

    expression = term (("+" | "-") term)*
    term       = factor (("*" | "/") factor)*
    factor     = number | "(" expression ")"
    number     = "0" | [1-9][0-9]*

There are no signs, no powers, no implied products, no decimals and no digits but ASCII's. The parser is a loop over a stack
(Dijkstra's shunting-yard), so that depth costs memory in proportion to length and can never exhaust the interpreter's stack.
"""

from __future__ import annotations

import re
from fractions import Fraction

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}

_ALPHABET = re.compile(r"[-+*/()0-9 \t\r\n]*")
_TOKEN = re.compile(r"0|[1-9][0-9]*|[-+*/()]")

Postfix = list[str]
"""Numbers and operators in postfix order: `1 + 2 * 3` is `1 2 3 * +`. Numbers keep their digits, however many."""


def parse(text: str) -> Postfix | None:
    """The expression that `text` is, or None where it is none."""
    if not _ALPHABET.fullmatch(text):
        return None
    output: Postfix = []
    waiting: list[str] = []
    operand_next = True
    for token in _TOKEN.findall(text):
        if operand_next:
            if token == "(":
                waiting.append(token)
            elif token == ")" or token in PRECEDENCE:
                return None
            else:
                output.append(token)
                operand_next = False
        elif token in PRECEDENCE:
            _release(waiting, output, PRECEDENCE[token])
            waiting.append(token)
            operand_next = True
        elif token != ")" or not _close(waiting, output):
            return None
    _release(waiting, output, 0)
    return None if operand_next or waiting else output


def parse_equation(text: str) -> Postfix | None:
    """The left side of `a = b`, or the whole of `a`; None where a side is no expression or there are more than two."""
    sides = [parse(side) for side in text.split("=", 2)]
    return None if len(sides) > 2 or None in sides else sides[0]


def numbers(expression: Postfix) -> list[str]:
    """The numbers of an expression as they were written, sorted as text."""
    return sorted(token for token in expression if token not in PRECEDENCE)


def evaluate(expression: Postfix) -> Fraction | None:
    """The exact value, or None where something is divided by zero. Bound the numbers first: the value may be huge."""
    stack: list[Fraction] = []
    for token in expression:
        if token not in PRECEDENCE:
            stack.append(Fraction(int(token)))
            continue
        right, left = stack.pop(), stack.pop()
        if token == "/" and not right:
            return None
        stack.append(_apply(left, token, right))
    return stack.pop()


def _apply(left: Fraction, operator: str, right: Fraction) -> Fraction:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    return left * right if operator == "*" else left / right


def _release(waiting: list[str], output: Postfix, precedence: int) -> None:
    """Move the operators out that bind at least as tightly; equal ones too, since all four associate to the left."""
    while waiting and waiting[-1] != "(" and PRECEDENCE[waiting[-1]] >= precedence:
        output.append(waiting.pop())


def _close(waiting: list[str], output: Postfix) -> bool:
    """Move the operators out up to the open parenthesis; False where there is none."""
    _release(waiting, output, 0)
    if not waiting:
        return False
    waiting.pop()
    return True
