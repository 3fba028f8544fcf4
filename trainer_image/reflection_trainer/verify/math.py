"""Math: the completion holds a mathematical answer equal to the row's, by the package math-verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import MathOptions

from ..confine.batch import BROKEN, LATE, Batch
from .answers import tagged_answer
from .rows import column, is_integer, kind, shown
from .verifier import CORRECT, Row, RowError

NO_ANSWER = "no_answer"
WRONG_ANSWER = "wrong_answer"
TOO_COMPLEX = "too_complex"

WINDOW = 20_000
"""Characters at the end of a completion in which the answer is looked for."""
MAX_ANSWER = 1000
"""Characters of a row's answer."""
_DIGITS = 400


class Math:
    r"""A completion is right if math-verify finds an answer in it that equals the row's.

    **Row.** `answer`: LaTeX or a plain number or expression, as text of at most 1,000 characters (`\frac{1}{2}`, `1/2`,
    `0.5`, `$x^2$`, `\boxed{3}`), or a number. White space at both ends does not count.

    **Where the answer is.** In the text of the last `<answer>...</answer>`; without such a pair, in the last 20,000
    characters of the completion. There math-verify looks for, in this order: a phrase like `the final answer is`,
    `\boxed{...}`, other LaTeX between `$`, `\(` or `\[`, then plain numbers and expressions, of which it takes the last.
    Several boxes, or boxes and formulas joined by `and` or `or`, are read as one set: naming two answers is wrong where one
    is wanted.

    **Equal.** As mathematics: `1/2` is `0.5` and `\frac{2}{4}`, `(x+1)^2` is `x^2+2x+1`, `x=3` is `3`, `50\%` is `0.5`, sets
    have no order. Decimals count as equal to six places after rounding. Units, text and signs of currency are left out.

    **Where it runs.** In a locked-down process (see `code`) with 1 second of a processor for each completion. math-verify
    hands plain expressions to sympy's `parse_expr`, which executes what it reads; it lets only digits and operators through,
    and a check of our own stands between the parser and `eval`.

    **Known to be lenient.** Text that lists numbers without a box (`the answer is 3, 4, 5`) is read as its first or last
    number. Ask for a box, or for answer tags.

    **Source.** math-verify 0.9.0, `parse` and `verify` with their defaults.
    """

    name = "math"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The answer equals the row's.",
        NO_ANSWER: "Nothing that can be read as mathematics is found.",
        WRONG_ANSWER: "The answer is another one.",
        TOO_COMPLEX: "Reading or comparing it took more than 1 second of a processor, or more memory than it may have.",
    }
    reasons = tuple(meanings)
    required_columns = ("answer",)

    def __init__(self, options: MathOptions | None = None) -> None:
        self.options = options or MathOptions()
        self._batch = Batch(f"{__package__}.math_cell")

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless `answer` is text that is not empty, or a number."""
        self._wanted(row)

    def gold(self, row: Row, /) -> str:
        """The row's answer in a box."""
        answer = self._wanted(row)
        return answer if "\\boxed" in answer or "$" in answer else f"\\boxed{{{answer}}}"

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        questions = [[self._wanted(item.row), _window(item.completion)] for item in items]
        words = self._batch.ask(questions)
        reasons = [TOO_COMPLEX if word in (LATE, BROKEN) else word for word in words]
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    def _wanted(self, row: Row) -> str:
        answer = column(row, "answer", self.name)
        if _is_number(answer):
            return str(answer)
        if not isinstance(answer, str):
            problem = f"answer is {kind(answer)}: {shown(answer)}"
            raise RowError("answer", problem, "write LaTeX or a number, for example \\frac{1}{2}")
        if not answer.strip() or len(answer) > MAX_ANSWER:
            raise RowError("answer", f"answer has {len(answer):,} characters", f"give 1 to {MAX_ANSWER:,}")
        return answer.strip()


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return is_integer(value) and abs(value) < 10**_DIGITS


def _window(completion: str) -> str:
    tagged = tagged_answer(completion)
    return (completion if tagged is None else tagged)[-WINDOW:]
