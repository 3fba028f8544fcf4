"""Reading columns of a prompt row, with errors that say what the file has and what it should have."""

from __future__ import annotations

import json
from typing import Any

from .verifier import Row, RowError

_SHOWN_COLUMNS = 12
_TYPE_NAMES = {
    bool: "a boolean", int: "an integer", float: "a floating-point number", str: "a string", list: "a list",
    dict: "an object", type(None): "null",
}  # fmt: skip


def column(row: Row, name: str, verifier: str) -> Any:
    """The value of a column.

    Raises:
        RowError: the row has no such column.
    """
    if name in row:
        return row[name]
    found = ", ".join(sorted(row)[:_SHOWN_COLUMNS]) or "none"
    if len(row) > _SHOWN_COLUMNS:
        found += f" and {len(row) - _SHOWN_COLUMNS} more"
    raise RowError(
        name,
        f'row has no "{name}", which the {verifier} verifier needs (columns found: {found})',
        "rename the column or map it in spec.task.columns",
    )


def is_integer(value: object) -> bool:
    """Whether a value is an integer; Python's True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def kind(value: object) -> str:
    """What a value is, in JSON's words."""
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")


def shown(value: object) -> str:
    """A value as JSON, cut short. Integers too long to print are not printed."""
    if is_integer(value) and abs(value) >= 10**40:  # type: ignore[arg-type]
        return "an integer of more than 40 digits"
    text = repr(value) if isinstance(value, float) else json.dumps(value, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."
