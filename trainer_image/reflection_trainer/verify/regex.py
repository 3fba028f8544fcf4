"""Regex: the completion matches a pattern, in time linear in its length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import re2
from reflection_api.items import Item, Verdict
from reflection_api.verifiers import MAX_PATTERN, InvalidVerifier, RegexOptions

from .rows import column, kind, shown
from .verifier import CORRECT, Row, RowError

NO_ANSWER = "no_answer"
NO_MATCH = "no_match"
TOO_LONG = "too_long"

MAX_WORK = 500_000_000
"""Instructions of the compiled pattern times bytes of the completion. RE2's slowest engine does about a billion a second."""

_REMEDY = "write it in RE2's syntax, which has no backreferences and no lookaround"


class Regex:
    """A completion is right if the pattern matches the whole of it or, with `search`, any part of it.

    **Row.** `pattern`: a regular expression of 1 to 1,000 characters. The option `pattern` stands in for rows without one.

    **What is matched.** The completion without the white space at its two ends, as Unicode text. `^` and `$` are the ends of
    that text, `.` is any character but a line feed; `(?i)`, `(?s)` and `(?m)` at the start of a pattern change case, dot and
    anchors as usual.

    **Syntax.** RE2's (github.com/google/re2, its page Syntax). It has no backreferences and no lookaround, so that every
    pattern takes time linear in the completion: there is no catastrophic one. The time also grows with the compiled pattern,
    so the product of the two is bounded: an ordinary pattern (up to 500 instructions) takes a completion of 1 MB, one with
    large counted repetitions less.

    **Source.** RE2's own full match and partial match.
    """

    name = "regex"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The pattern matches.",
        NO_ANSWER: "The completion is empty or only white space, and the pattern does not match that.",
        NO_MATCH: "The pattern does not match.",
        TOO_LONG: f"The completion's bytes times the compiled pattern's instructions are more than {MAX_WORK:,}.",
    }
    reasons = tuple(meanings)
    required_columns: tuple[str, ...] = ("pattern",)

    def __init__(self, options: RegexOptions | None = None) -> None:
        """Raises `InvalidVerifier` where the option `pattern` is no pattern."""
        self.options = options or RegexOptions()
        if self.options.pattern is not None:
            self.required_columns = ()
            try:
                _compiled(self.options.pattern)
            except ValueError as error:
                problem = f"{shown(self.options.pattern)} is no pattern ({error})"
                raise InvalidVerifier("options.pattern", problem, _REMEDY) from error

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless the row or the options have a pattern."""
        self._pattern(row)

    def gold(self, _row: Row, /) -> str | None:
        """None: a row holds a pattern and no text that matches it."""
        return None

    def shares(self, _row: Row, _other: Row, /) -> bool:
        """Always: many patterns match a text, and only matching would tell which."""
        return True

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        reasons = (self._judge(item) for item in items)
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    def _judge(self, item: Item) -> str:
        pattern = self._pattern(item.row)
        try:
            text = item.completion.strip().encode()
        except UnicodeEncodeError:  # half a surrogate pair is no text
            return NO_MATCH
        if pattern.programsize * len(text) > MAX_WORK:
            return TOO_LONG
        # Bytes, which RE2 reads as UTF-8 as it would the text: encoded once instead of twice.
        found = pattern.search(text) if self.options.search else pattern.fullmatch(text)
        if found is not None:
            return CORRECT
        return NO_MATCH if text else NO_ANSWER

    def _pattern(self, row: Row) -> Any:
        """The compiled pattern for a row.

        Raises:
            RowError: there is none, or it is no pattern.
        """
        if row.get("pattern") is None and self.options.pattern is not None:
            return _compiled(self.options.pattern)
        pattern = column(row, "pattern", self.name)
        if not isinstance(pattern, str):
            raise RowError(
                "pattern", f"pattern is {kind(pattern)}: {shown(pattern)}", "write a string, in quotes"
            )
        if not 1 <= len(pattern) <= MAX_PATTERN:
            raise RowError(
                "pattern",
                f"pattern has {len(pattern):,} characters",
                f"give one of 1 to {MAX_PATTERN:,} characters",
            )
        try:
            return _compiled(pattern)
        except ValueError as error:
            raise RowError("pattern", f"pattern is {shown(pattern)}: {error}", _REMEDY) from error


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    """Compiled without captures, which would take RE2 off its fastest engine.

    Raises:
        ValueError: it is not a pattern of RE2's, or its automaton would not fit into 8 MB.
    """
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        (words,) = error.args
        raise ValueError(
            words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        ) from error
