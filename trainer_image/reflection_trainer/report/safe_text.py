"""Text of models and files, made fit for people: whatever it holds, it is shown and has no effect."""

from __future__ import annotations

import re
import unicodedata

_MAX_TEXT = 400
"""Characters of one text: the whole of it is in the transcripts' Parquet files."""
_MAX_NAME = 60
_WITHOUT_SHAPE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of control characters, direction marks and what no font has."""


def code(text: str) -> str:
    """A text as inline code on one line: no markup in it has an effect, control characters and direction marks are named."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else _named(character) for character in line)
    if len(line) > _MAX_TEXT:
        line = f"{line[:_MAX_TEXT]}..."
    if not line:
        return "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    # A code span loses one space at each end; without one a backtick of the text would join the fence.
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def name(text: str) -> str:
    """A short name for a table's cell; characters that names do not have become question marks."""
    return re.sub(r"[^A-Za-z0-9_ .,()-]", "?", text[:_MAX_NAME])


def visible(text: str) -> str:
    """A text whose lines stay lines; any other character with an effect but no shape is named by its code point."""
    lines = text.replace("\r\n", "\n")
    return "".join(character if _harmless(character) else _named(character) for character in lines)


def _harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in _WITHOUT_SHAPE


def _named(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
