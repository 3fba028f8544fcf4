"""Text from pods, made fit for a message: logs and termination messages are hostile and know no bounds."""

from __future__ import annotations

import unicodedata

_ELLIPSIS = "..."
_MAX_READ = 32_768
"""Characters looked at: a kubelet keeps 4 KiB, a scheduler's message is shorter still."""


def one_line(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` bytes in UTF-8, cut at the end.

    Control characters, surrogates and direction marks go: they could forge lines of a log or hide words on a terminal.
    """
    kept = "".join(
        " " if character.isspace() else character for character in text[:_MAX_READ] if _harmless(character)
    )
    line = " ".join(kept.split())
    if len(line.encode()) <= limit:
        return line
    return line.encode()[: limit - len(_ELLIPSIS)].decode(errors="ignore") + _ELLIPSIS


def printable(line: str) -> str:
    """A line as it is, without what would do something else to a terminal than stand on it."""
    return "".join(
        character
        for character in line
        if character == "\t" or not unicodedata.category(character).startswith("C")
    )


def last_line(text: str, limit: int) -> str:
    """The last line that says something, as `one_line`; empty where there is none."""
    lines = (one_line(line, limit) for line in reversed(text[-_MAX_READ:].splitlines()))
    return next((line for line in lines if line), "")


def sentence(*parts: str) -> str:
    """The parts that say something, joined by semicolons."""
    return "; ".join(part for part in parts if part)


def number(count: float) -> str:
    """A count as people write it: 143,201."""
    return f"{count:,.0f}"


def many(count: float, noun: str) -> str:
    """A count of things."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def _harmless(character: str) -> bool:
    return character.isspace() or not unicodedata.category(character).startswith("C")
