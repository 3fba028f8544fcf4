"""Prompts in JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from .rows import Row, refuse

_MAX_LINE = 16 << 20
"""Bytes of a line: a longer one is a file that is not JSON lines."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json_lines(path: Path, name: str) -> Iterator[Row]:
    """Rows of a file with one JSON object per line, in UTF-8; empty lines are left out. `name` is for messages.

    Raises:
        BadData: a line is something else.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MAX_LINE + 1):
            number += 1
            place = f"{name}:{number}"
            if len(line) > _MAX_LINE:
                refuse(place, f"the line is longer than {_MAX_LINE >> 20} MiB", "write one row per line")
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if line.strip():
                yield Row(number, place, _object(_value(_text(line, place), place), place))


def _text(line: bytes, place: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8"
        refuse(place, problem, "save the file as UTF-8")


def _value(text: str, place: str) -> Any:
    """The value, which can be written as JSON again: Python reads 1e999 and half surrogate pairs without a word."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        refuse(place, r"a string holds half of a surrogate pair (\ud800 to \udfff)", "write whole characters")
    except RecursionError:
        refuse(place, "the line is nested too deeply", "write flat rows")
    except ValueError as error:
        refuse(place, f"the line is not JSON: {error}", "write one JSON object per line")
    return value


def _object(value: Any, place: str) -> dict[str, Any]:
    if isinstance(value, list):
        refuse(
            place,
            "the line is a JSON array",
            "write one JSON object per line, without brackets around the file",
        )
    if not isinstance(value, dict):
        refuse(place, f"the line is {value!r:.40}, not a JSON object", 'write rows such as {"prompt": "..."}')
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
