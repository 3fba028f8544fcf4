"""The right answer that a prompt row holds, for audits."""

from __future__ import annotations

from reflection_api.verifier_service import GOLD_COLUMN

from .rows import kind, shown
from .verifier import Row, RowError, Verifier


def gold_of(verifier: Verifier, row: Row) -> str | None:
    """A completion that is right: what the verifier reads from its own columns, else the column `gold`.

    Raises:
        RowError: the row is not what the verifier needs, or `gold` is no text.
    """
    own = verifier.gold(row)
    if own is not None:
        return own
    gold = row.get(GOLD_COLUMN)
    if gold is not None and not isinstance(gold, str):
        raise RowError(
            GOLD_COLUMN,
            f"{GOLD_COLUMN} is {kind(gold)}: {shown(gold)}",
            "write a completion that is right, as text, or rename the column",
        )
    return gold
