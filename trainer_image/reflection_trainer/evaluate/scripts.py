"""In which scripts a text is written: a model that changes its language in mid-reflection mostly changes the script, too."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_TOGETHER = {
    "FULLWIDTH": "LATIN",
    "HALFWIDTH": "CJK",
    "HIRAGANA": "CJK",
    "KATAKANA": "CJK",
    "BOPOMOFO": "CJK",
    "IDEOGRAPHIC": "CJK",
}
_OF_FORMULAS = {
    "GREEK", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "MICRO", "FEMININE", "MASCULINE", "MODIFIER",
    "SUPERSCRIPT", "SUBSCRIPT", "KELVIN", "OHM", "ANGSTROM", "TURNED", "INFORMATION", "ALEF", "BET", "GIMEL", "DALET",
}  # fmt: skip
"""First words of the names of letters that stand in formulas of every language."""


def scripts(text: str) -> frozenset[str]:
    """The scripts of its letters, by the first word of their Unicode names; Chinese and Japanese count as one."""
    return frozenset(script for character in set(text) if (script := _script(character)))


def leaves_script(reflection: str, question: str) -> bool:
    """Whether a reflection has letters of a script that its question has none of. Never where that has no letters at all."""
    expected = scripts(question)
    return bool(expected) and not scripts(reflection) <= expected


@lru_cache(maxsize=65_536)
def _script(character: str) -> str:
    """Empty for what is no letter of a language."""
    if not character.isalpha():
        return ""
    word = unicodedata.name(character, "").partition(" ")[0]
    return "" if word in _OF_FORMULAS else _TOGETHER.get(word, word)
