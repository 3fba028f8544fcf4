"""One row on its way into a prompts file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from reflection_api.reasons import Reason

from ..errors import BadConfig


class TaskRow(NamedTuple):
    """A question with what its verifier needs."""

    key: str
    """What makes two rows the same question: both then stand on the same side of the split."""
    columns: dict[str, Any]


def distinct(rows: Iterator[TaskRow], count: int, *, misses: int, remedy: str) -> Iterator[TaskRow]:
    """The first `count` rows with different keys; it gives up after `misses` rows in a row that were there before.

    Raises:
        BadConfig: there are not so many.
    """
    seen: set[str] = set()
    missed = 0
    for row in rows:
        if row.key in seen:
            missed += 1
            if missed == misses:
                break
            continue
        missed = 0
        seen.add(row.key)
        yield row
        if len(seen) == count:
            return
    raise BadConfig(
        f"--count {count}: only {len(seen)} different questions were found; lower it, or {remedy}",
        reason=Reason.INVALID_SPEC,
    )
