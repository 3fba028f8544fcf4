"""Reading JSON that a model wrote: strict, bounded, and linear in its length."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_CHARACTERS = 100_000
"""Of a text that holds JSON."""
MAX_DEPTH = 32
"""Lists and objects inside each other."""
MAX_DIGITS = 400
"""Of one number: more than any double has, few enough to compute with."""


class NotJson(ValueError):
    """The text is not one JSON value, or one that these bounds refuse."""

    def __init__(self, problem: str, consumed: int = 0) -> None:
        super().__init__(problem)
        self.consumed = consumed
        """Characters that were read to find out, at most."""


BROKEN = object()
"""Instead of a value that cannot be read."""

_OPENING = re.compile(r"[\[{]")


def read_json(text: str) -> Any:
    """The one JSON value that `text` is.

    Stricter than Python's reader: no NaN and infinities, no number that overflows to one, no object with one name twice,
    nothing nested deeper than 32.

    Raises:
        NotJson: it is none.
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    _refuse_depth(value)
    return value


def read_json_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start`, and where it ends.

    Raises:
        NotJson: none begins there.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
        _refuse_depth(value)
    except json.JSONDecodeError as error:
        raise NotJson(str(error), error.pos - start + 1) from error
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error), len(text) - start) from error
    return value, end


def json_values(text: str) -> Iterator[tuple[int, Any]]:
    """The lists and objects that stand in a text, from left to right, with their places; what is inside one is part of it.

    Where text only begins like one, `BROKEN` stands in its place, and what is inside it comes next. In all at most ten times
    the bound of one text is read, so that nothing can make this slow: what comes after that is not seen.
    """
    at, left = 0, 10 * MAX_CHARACTERS
    while left > 0 and (found := _OPENING.search(text, at)):
        start = found.start()
        try:
            value, at = read_json_at(text, start)
        except NotJson as error:
            value, at = BROKEN, start + 1
            left -= error.consumed
        yield start, value


def canonical(value: Any) -> str:
    """One text for each JSON value, types included: 1, 1.0, true and "1" are four. The order of names says nothing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _refuse_depth(value: Any) -> None:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return
    raise NotJson(f"nested deeper than {MAX_DEPTH}")


def _containers(value: Any) -> list[Any]:
    """The lists and objects right inside a list or an object."""
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("an object has one name twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise NotJson(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else math.inf
    if math.isinf(number):
        raise NotJson("a number that no double can hold")
    return number


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
