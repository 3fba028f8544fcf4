"""Exact: the completion is the answer, character by character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import ExactOptions

from .rows import column, is_integer, kind, shown
from .verifier import CORRECT, Row, RowError

NO_ANSWER = "no_answer"
WRONG_ANSWER = "wrong_answer"

MAX_DIGITS = 18


class Exact:
    """A completion is right if the whole of it equals the row's answer.

    **Row.** `answer`: a string that is not empty, or an integer of at most 18 digits, which stands for its decimal digits
    (42 for `42`, -7 for `-7`). Other numbers, booleans and null are refused, since more than one text could stand for them
    (`3.0`, `3`; `true`, `True`): write the text that the model should give.

    **What is compared.** The whole completion, code point by code point; there are no answer tags and no search. With `strip`
    white space at both ends counts on neither side. With `ignoreCase` both sides go through Unicode case folding. Nothing else
    is made equal: digits of other scripts, look-alike letters and other forms of the same accent are different.

    **Source.** Plain string equality.
    """

    name = "exact"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The completion equals the answer.",
        NO_ANSWER: "The completion is empty or only white space.",
        WRONG_ANSWER: "The completion is something else.",
    }
    reasons = tuple(meanings)
    required_columns = ("answer",)

    def __init__(self, options: ExactOptions | None = None) -> None:
        self.options = options or ExactOptions()

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless `answer` is a string that is not empty or an integer."""
        self.gold(row)

    def gold(self, row: Row) -> str:
        """The text that the row's answer stands for.

        Raises:
            RowError: the row has no answer, or one of another type.
        """
        answer = column(row, "answer", self.name)
        if is_integer(answer):
            return _digits(answer)
        if not isinstance(answer, str):
            problem = f"answer is {kind(answer)}: {shown(answer)}"
            raise RowError("answer", problem, "write the text that the model should give, in quotes")
        if not self._normal(answer):
            raise RowError(
                "answer",
                f"answer is empty: {shown(answer)}",
                "give an answer to each row, or leave the row out",
            )
        return answer

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict:
        if self._normal(item.completion) == self._normal(self.gold(item.row)):
            return Verdict(id=item.id, correct=True, reason=CORRECT)
        return Verdict(
            id=item.id, correct=False, reason=WRONG_ANSWER if item.completion.strip() else NO_ANSWER
        )

    def _normal(self, text: str) -> str:
        stripped = text.strip() if self.options.strip else text
        return stripped.casefold() if self.options.ignore_case else stripped


def _digits(answer: int) -> str:
    if abs(answer) >= 10**MAX_DIGITS:
        problem = f"answer is an integer of more than {MAX_DIGITS} digits"
        raise RowError("answer", problem, "write it as text, in quotes")
    return str(answer)
