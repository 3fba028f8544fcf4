"""Countdown: write an equation that makes the target from the numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import CountdownOptions

from .answers import lines_from_end, tagged_answer
from .expression import Postfix, evaluate, numbers, parse_equation
from .rows import column, is_integer, kind, shown
from .same_expression import holds_expression
from .verifier import CORRECT, Row, RowError

NO_EQUATION = "no_equation"
INVALID_EQUATION = "invalid_equation"
WRONG_NUMBERS = "wrong_numbers"
MISSED_TARGET = "missed_target"
TOO_LONG = "too_long"

MAX_ANSWER = 4096
"""Characters of an answer. 64 numbers of 18 digits with all their operators fit well within."""
MAX_NUMBERS = 64
MAX_DIGITS = 18

_WORD = re.compile(r"[^\W\d_]{2}")


class Puzzle(NamedTuple):
    """A row that was found good."""

    numbers: list[str]
    """In decimal digits, sorted as text: what an answer must use, each exactly once."""
    target: int


class Reading(NamedTuple):
    """What was found in a completion: an expression, or the reason why there is none."""

    expression: Postfix
    fault: str = ""


class Countdown:
    """An answer is right if it uses exactly the numbers of the row, each exactly once, and its value is the target.

    **Row.** `nums`: a list of 1 to 64 integers from 0 up, of at most 18 digits. `target`: an integer of at most 18 digits.

    **Where the answer is.** The text of the last `<answer>...</answer>`. Without such a pair it is the last line that is an
    expression or an equation, among those that reach into the last 100,000 characters. The rest of the completion is
    ignored. A tag that is never closed (a completion that was cut off) begins no answer.

    **What an answer may be.** An expression: numbers (one alone will do), `+ - * /` and parentheses, with white space
    (spaces, tabs, line ends) between them. Or an equation `a = b` of two expressions, of which the left one is judged; the
    right one is not computed, so `2 * 3 = 7` is right where the target is 6. Not allowed are signs (`-3`, `+3`), `==`, `**`,
    `//`, implied products (`2(3)`), decimals, leading zeros, and any character that is not ASCII: the typographic signs for
    times, divided by and minus, and the digits of other scripts.

    **Value.** Computed with exact fractions, as written: `8 / (3 - 8 / 3)` is 24. The usual precedence holds and all four
    operators associate to the left. An expression that divides by zero has no value.

    **Order of the checks.** Form, then numbers, then value: an answer with wrong numbers that misses the target, too, counts
    as `wrong_numbers`.

    **Source.** The rule of Reflect, Retry, Reward (arXiv 2505.24726) for Countdown: the allowed numbers, each once, and the
    value equals the target. Stricter than the scorers that search with a pattern and call `eval`, which let `**`, `//` and
    signs through.
    """

    name = "countdown"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The numbers are used once each and the value is the target.",
        NO_EQUATION: "There is nothing to judge: the answer tags hold no digit, or there are none and no line looks like an "
        "attempt (it has digits and no word).",
        INVALID_EQUATION: "There is an attempt, but it is not an expression or equation of the allowed form.",
        WRONG_NUMBERS: "The form is right, but a number is missing, used twice or not in the row.",
        MISSED_TARGET: "Form and numbers are right, but the value is not the target, or something is divided by zero.",
        TOO_LONG: f"The answer has more than {MAX_ANSWER:,} characters.",
    }
    reasons = tuple(meanings)
    required_columns = ("nums", "target")

    def __init__(self, options: CountdownOptions | None = None) -> None:
        self.options = options or CountdownOptions()

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless `nums` and `target` are what the rule says."""
        read_puzzle(row)

    def gold(self, _row: Row, /) -> str | None:
        """None: a row holds no solution."""
        return None

    def shares(self, row: Row, other: Row, /) -> bool:
        """Where both are the same puzzle."""
        return read_puzzle(row) == read_puzzle(other)

    def holds(self, text: str, completion: str) -> bool:
        """Whether the text has the completion's expression, in any order of terms and factors."""
        expression, fault = _read(completion)
        return not fault and holds_expression(text, expression)

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        reasons = (judge(item.completion, read_puzzle(item.row)) for item in items)
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]


def judge(completion: str, puzzle: Puzzle) -> str:
    """The reason of one completion's verdict."""
    expression, fault = _read(completion)
    if fault:
        return fault
    # The numbers come first: only the row's own, which are bounded, are ever computed with.
    if numbers(expression) != puzzle.numbers:
        return WRONG_NUMBERS
    return CORRECT if evaluate(expression) == puzzle.target else MISSED_TARGET


def read_puzzle(row: Row) -> Puzzle:
    """The puzzle of a row.

    Raises:
        RowError: a column is missing, or is not what the rule says.
    """
    nums, target = column(row, "nums", Countdown.name), column(row, "target", Countdown.name)
    if not isinstance(nums, list):
        raise RowError(
            "nums", f"nums is {kind(nums)}: {shown(nums)}", "write a list of integers, for example [3, 7]"
        )
    if not 1 <= len(nums) <= MAX_NUMBERS:
        raise RowError("nums", f"nums has {len(nums)} entries", f"give 1 to {MAX_NUMBERS} integers")
    for number in nums:
        _check_integer("nums", number)
        if number < 0:
            raise RowError("nums", f"nums has {number}, which no answer can write", "give integers from 0 up")
    _check_integer("target", target)
    return Puzzle(sorted(map(str, nums)), target)


def _check_integer(name: str, value: Any) -> None:
    what = "has" if name == "nums" else "is"
    if not is_integer(value):
        raise RowError(
            name, f"{name} {what} {kind(value)}: {shown(value)}", "write integers, without quotes or points"
        )
    if abs(value) >= 10**MAX_DIGITS:
        raise RowError(name, f"{name} {what} {shown(value)}", f"give integers of at most {MAX_DIGITS} digits")


def _read(completion: str) -> Reading:
    answer = tagged_answer(completion)
    return _read_lines(completion) if answer is None else _read_tagged(answer)


def _read_tagged(answer: str) -> Reading:
    if len(answer) > MAX_ANSWER:
        return Reading([], TOO_LONG)
    expression = parse_equation(answer)
    if expression is not None:
        return Reading(expression)
    return Reading([], INVALID_EQUATION if _has_digit(answer) else NO_EQUATION)


def _read_lines(completion: str) -> Reading:
    """The last line that parses; without one, the last line that looks like an attempt says what is wrong."""
    fault = NO_EQUATION
    for line in lines_from_end(completion):
        short = len(line) <= MAX_ANSWER
        expression = parse_equation(line) if short else None
        if expression is not None:
            return Reading(expression)
        if fault == NO_EQUATION and _is_attempt(line):
            fault = INVALID_EQUATION if short else TOO_LONG
    return Reading([], fault)


def _is_attempt(line: str) -> bool:
    """Digits and no word (two letters in a row): `3 x 4` and `3.5 + 4` are attempts, `I tried 3 of them` is prose."""
    return not _WORD.search(line) and _has_digit(line)


def _has_digit(text: str) -> bool:
    """Whether there is a digit of any script: one that looks like a digit is an attempt, though a wrong one."""
    return any(map(str.isdigit, text))
