"""Finding an expression in prose, also where it is written in another order or with other signs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .expression import PRECEDENCE, Postfix, numbers, parse

MAX_NUMBERS = 64
"""Of an expression that is looked for. One number alone is none: it stands in most texts by chance."""

_SIGNS = str.maketrans(
    dict.fromkeys("\u00d7\u00b7\u22c5\u2217", "*")
    | dict.fromkeys("\u00f7\u2215", "/")
    | dict.fromkeys("\u2212\u2013", "-")
)
_COMMANDS = {"\\times": "*", "\\cdot": "*", "\\div": "/"}
"""LaTeX's."""
_LETTER = re.compile(r"(?<=[0-9)])([ \t]*)[xX](?=[ \t]*[0-9(])")
"""An x for a multiplication sign."""
_DECIMAL = re.compile(r"(?<![0-9])[0-9]*\.[0-9]+")
_RUN = re.compile(r"[-+*/()0-9 \t\r\n]{3,}")
_TOKEN = re.compile(r"[0-9]+|[-+*/()]")

Form = tuple[Any, ...]


def holds_expression(text: str, expression: Postfix) -> bool:
    """Whether a part of `text` is the expression but for the order of its terms and factors, parentheses and typography.

    Linear in the length of the text.
    """
    wanted = Counter(numbers(expression))
    if not 2 <= wanted.total() <= MAX_NUMBERS:
        return False
    form = _form(expression)
    text = _LETTER.sub(r"\1*", _DECIMAL.sub(".", text).translate(_SIGNS))
    for command, sign in _COMMANDS.items():
        text = text.replace(command, sign)
    return any(
        found is not None and _form(found) == form
        for run in _RUN.findall(text)
        for found in map(parse, _windows(_TOKEN.findall(run), wanted))
    )


def _windows(tokens: Sequence[str], wanted: Counter[str]) -> Iterator[str]:
    """The parts of a run that have exactly the wanted numbers, each with the parentheses at its ends that it needs."""
    places = [place for place, token in enumerate(tokens) if token.isdecimal()]
    count = wanted.total()
    if len(places) < count:  # most runs: a number in a sentence
        return
    missing = wanted.copy()  # below zero: one too many
    for index, place in enumerate(places):
        _count(missing, tokens[place], -1)
        if index >= count:
            _count(missing, tokens[places[index - count]], 1)
        if not missing:
            yield _balanced(tokens, places[index - count + 1], place + 1)


def _count(missing: Counter[str], number: str, change: int) -> None:
    """Nothing stays for what is neither missing nor too much, so that an empty counter says that all fits."""
    missing[number] += change
    if not missing[number]:
        del missing[number]


def _balanced(tokens: Sequence[str], begin: int, end: int) -> str:
    depth = lowest = 0
    for token in tokens[begin:end]:
        depth += (token == "(") - (token == ")")
        lowest = min(lowest, depth)
    before, after = (
        begin + lowest,
        end + depth - lowest,
    )  # as many as close more than they open, and the other way round
    return " ".join(tokens[max(0, before) : after])


def _form(expression: Postfix) -> Form:
    """Equal for expressions that differ in the order of terms and factors or in parentheses: sums and products are flat.

    A sum is its terms with their signs, a product its factors with exponents of 1 or -1.
    """
    stack: list[Form] = []
    for token in expression:
        if token not in PRECEDENCE:
            stack.append(("number", token))
            continue
        right, left = stack.pop(), stack.pop()
        kind = "sum" if token in "+-" else "product"
        sign = -1 if token in "-/" else 1
        parts = [*_parts(left, kind), *((sign * own, part) for own, part in _parts(right, kind))]
        stack.append((kind, tuple(sorted(parts))))
    return stack.pop()


def _parts(form: Form, kind: str) -> Sequence[tuple[int, Form]]:
    return form[1] if form[0] == kind else [(1, form)]
