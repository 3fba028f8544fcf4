"""Reading items from JSON lines, one at a time, with errors that name the line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import BinaryIO

from pydantic import ValidationError
from reflection_api.items import Item

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a line. A longer one is no item, and reading it whole could exhaust memory."""

_SHAPE = 'an item is {"id", "messages", "completion", "row"}'


class BadLine(ValueError):
    """A line that is not an item, or whose row the verifier refuses."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


class SeenIds:
    """The ids so far and where they stood. They live in a temporary database, so that memory stays flat."""

    def __init__(self) -> None:
        # An empty name is a database of this connection's own, which moves to disk as it outgrows a cache of 2 MB.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def add(self, item_id: str, line: int) -> int | None:
        """Note an id. Returns the line on which it stood before, or None."""
        added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (item_id, line)).rowcount
        if added:
            return None
        first: int = self._database.execute("SELECT line FROM seen WHERE id = ?", (item_id,)).fetchone()[0]
        return first

    def close(self) -> None:
        """Delete the database."""
        self._database.close()


def numbered_items(lines: BinaryIO) -> Iterator[tuple[int, Item]]:
    """The items with the numbers of their lines, from 1. Blank lines are skipped.

    Raises:
        BadLine: a line is too long, not UTF-8, not JSON, not an item, or repeats an id.
    """
    seen = SeenIds()
    try:
        number = 0
        while line := lines.readline(MAX_LINE + 1):
            number += 1
            if line.isspace():
                continue
            item = _read(line, number)
            first = seen.add(item.id, number)
            if first is not None:
                raise BadLine(
                    number,
                    f"id {_shown(item.id)} stands on line {first} already; give each item an id of its own",
                )
            yield number, item
    finally:
        seen.close()


def _read(line: bytes, number: int) -> Item:
    if len(line) > MAX_LINE:
        raise BadLine(number, f"longer than {MAX_LINE // 1024**2} MiB; {_SHAPE} on a line of its own")
    try:
        return Item.model_validate_json(line.decode("utf-8").rstrip())
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start + 1} (0x{line[error.start]:02x}); save the file as UTF-8"
    except ValidationError as error:
        problem = _explain(error)
    raise BadLine(number, problem)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        # The parser sees one line and would call it line 1.
        fault = first["ctx"]["error"].replace("at line 1 column", "at column")
        return f"not JSON ({fault}); {_SHAPE}"
    if first["type"] == "missing":
        return f'has no "{field}"; {_SHAPE}'
    if first["type"] == "extra_forbidden":
        return f"{field} is not a field; {_SHAPE}, and the prompt's own columns go into row"
    where = f"{field}: " if field else ""
    wanted = first["msg"].removeprefix("Input ").replace("an object", "a JSON object")
    return f"{where}{_shown(first['input'])} {wanted}; {_SHAPE}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."
