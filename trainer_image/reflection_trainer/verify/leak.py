"""Whether a reflection gives the answer away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .answers import LINE_WINDOW, fenced_blocks, lines_from_end, tagged_answer
from .verifier import Recognising, Verifier

_MIN_LENGTH = 3
"""Characters below which an answer stands in most texts by chance."""
_BOX = "\\boxed{"
_WORD = re.compile(r"[0-9A-Za-z_]+|\S")


def leaks(reflection: str, retry: str, verifier: Verifier) -> bool:
    r"""Whether the retry's answer already stands in the reflection.

    It does where the verifier knows it again (`3 * 8` for `8 * 3`), or where its text stands there: the same words, numbers and
    signs, whatever white space is between them. The text is that in the last answer tags, else in the last fenced block, else
    in the last `\boxed{...}`, else the last line that holds anything. Of a longer text the last 100,000 characters count.
    """
    reflection, retry = reflection[-LINE_WINDOW:], retry[-LINE_WINDOW:]
    if isinstance(verifier, Recognising) and verifier.holds(reflection, retry):
        return True
    words = _WORD.findall(_answer(retry))
    return sum(map(len, words)) >= _MIN_LENGTH and _line(words) in _line(_WORD.findall(reflection))


def _line(words: Sequence[str]) -> str:
    """With blanks at both ends, so that no number is found as the end of a longer one."""
    return f" {' '.join(words)} "


def _answer(retry: str) -> str:
    tagged = tagged_answer(retry)
    if tagged is not None:
        return tagged
    for block in list(fenced_blocks(retry))[-1:]:
        return block.text
    return _boxed(retry) or next((line for line in lines_from_end(retry) if line.strip()), "")


def _boxed(text: str) -> str:
    """What stands in the last box; empty where there is none that is closed."""
    _, found, rest = text.rpartition(_BOX)
    depth = 1
    for place, character in enumerate(rest if found else ""):
        depth += (character == "{") - (character == "}")
        if not depth:
            return rest[:place]
    return ""
