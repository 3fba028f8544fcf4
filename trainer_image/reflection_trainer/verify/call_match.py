"""When a call is the one that was wanted: names, parameters and values, and which call stands for which."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .calls import Call

OPTIONAL = ""
"""Among the alternatives of a parameter: it may be left out. Berkeley's data say it this way."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?([eE][+-]?[0-9]{1,2})?")

Match = Callable[[Call, Call], bool]


class Comparison(NamedTuple):
    """How literally values are compared."""

    coerce_numbers: bool = False
    accept_any: bool = False

    def same_parameters(self, call: Call, wanted: Call) -> bool:
        """Whether the tool and the names of the parameters are the wanted ones."""
        return call.name == wanted.name and self._same_names(call.arguments, wanted.arguments)

    def same_call(self, call: Call, wanted: Call) -> bool:
        """Whether everything is."""
        return self.same_parameters(call, wanted) and all(
            self._accepts(value, wanted.arguments[name]) for name, value in call.arguments.items()
        )

    def _same_names(self, given: dict[str, Any], wanted: dict[str, Any]) -> bool:
        if not self.accept_any:
            return given.keys() == wanted.keys()
        left_out = wanted.keys() - given.keys()
        return given.keys() <= wanted.keys() and all(_may_be_left_out(wanted[name]) for name in left_out)

    def _accepts(self, value: Any, wanted: Any) -> bool:
        if not self.accept_any:
            return self._equal(value, wanted)
        alternatives = wanted if isinstance(wanted, list) else [wanted]
        return any(self._equal(value, alternative) for alternative in alternatives)

    def _equal(self, value: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return (
                isinstance(value, dict)
                and self._same_names(value, wanted)
                and all(self._accepts(inner, wanted[name]) for name, inner in value.items())
            )
        if isinstance(wanted, list):
            return (
                isinstance(value, list) and len(value) == len(wanted) and all(map(self._equal, value, wanted))
            )
        if (
            self.coerce_numbers
            and _is_number(number := _number(value))
            and _is_number(goal := _number(wanted))
        ):
            return bool(number == goal)
        return type(value) is type(wanted) and bool(value == wanted)


def pairs_up(calls: Sequence[Call], wanted: Sequence[Call], match: Match) -> bool:
    """Whether each call can stand for another one of those wanted: a perfect matching, by augmenting paths."""
    taken: dict[int, int] = {}

    def place(call: int, tried: set[int]) -> bool:
        for other in range(len(wanted)):
            if other not in tried and match(calls[call], wanted[other]):
                tried.add(other)
                if other not in taken or place(taken[other], tried):
                    taken[other] = call
                    return True
        return False

    return len(calls) == len(wanted) and all(place(call, set()) for call in range(len(calls)))


def in_order(calls: Sequence[Call], wanted: Sequence[Call], match: Match) -> bool:
    """Whether each call stands for the one in its own place."""
    return len(calls) == len(wanted) and all(map(match, calls, wanted))


def _may_be_left_out(alternatives: Any) -> bool:
    return isinstance(alternatives, list) and any(
        isinstance(alternative, str) and alternative == OPTIONAL for alternative in alternatives
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> Any:
    """A string that is a JSON number, as that number; everything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return int(value) if value.lstrip("-").isdigit() else float(value)
