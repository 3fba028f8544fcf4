"""Reading JSON that may hold anything: a value of an unexpected type counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from reflection_api.spec.fields import MAX_INT32

_MAX_DIGITS = 10


def whole(value: object, *, least: int) -> int:
    """A JSON number, raised to the least that makes sense."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= least else least


def digits(value: object, *, most: int = MAX_INT32) -> int | None:
    """A number from 0 to `most` in ASCII digits, as labels carry it."""
    found = text(value)
    if not (found.isascii() and found.isdigit() and len(found) <= _MAX_DIGITS):
        return None
    return int(found) if int(found) <= most else None


def time(value: object) -> datetime | None:
    """An RFC 3339 time with its zone, in UTC."""
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text(value))
        return found.astimezone(UTC) if found.tzinfo else None
    return None


def text(value: object) -> str:
    """A string; empty where it is anything else."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """An object; empty where it is anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects in a list."""
    if isinstance(value, (list, tuple)):
        yield from (item for item in value if isinstance(item, Mapping))
