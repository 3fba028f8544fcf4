"""Finding the answer in a completion. Linear in its length, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

OPENING, CLOSING = "<answer>", "</answer>"
FENCE = "```"

LINE_WINDOW = 100_000
"""Characters at the end of a completion in which lines are looked for."""


def tagged_answer(completion: str) -> str | None:
    """The text of the last `<answer>...</answer>`; None where no pair is closed.

    A pair is an opening tag and the first closing tag after it. The last opening tag that is closed at all begins the last
    pair, so neither a stray closing tag nor an opening tag that follows can change what the answer is.
    """
    last_closing = completion.rfind(CLOSING)
    opening = completion.rfind(OPENING, 0, max(last_closing, 0))
    if opening < 0:
        return None
    begin = opening + len(OPENING)
    return completion[begin : completion.index(CLOSING, begin)]


def lines_from_end(completion: str) -> Iterator[str]:
    """The lines of a completion, the last one first, as far as the window reaches. Only a line feed ends a line."""
    end = len(completion)
    stop = max(0, end - LINE_WINDOW)
    while end >= stop:
        begin = completion.rfind("\n", 0, end) + 1
        yield completion[begin:end]
        end = begin - 1


class Fenced(NamedTuple):
    """A fenced code block of Markdown."""

    language: str
    """The first word after the opening fence, in lower case; empty where there is none."""
    text: str


def fenced_blocks(completion: str) -> Iterator[Fenced]:
    """The fenced code blocks of a completion, in order. A block that is never closed (a completion cut off) is none.

    A fence is a line that begins with three or more backticks after at most three spaces. The closing one has at least as many
    backticks as the opening one and nothing else.
    """
    fence, language, begin, at = "", "", 0, 0
    while at <= len(completion):
        end = completion.find("\n", at)
        end = len(completion) if end < 0 else end
        ticks = _ticks(completion[at:end])
        rest = completion[at:end].strip()[len(ticks) :] if ticks else ""
        if fence and len(ticks) >= len(fence) and not rest:
            yield Fenced(language, completion[begin : max(begin, at - 1)])
            fence = ""
        elif ticks and not fence and "`" not in rest:
            fence, language, begin = ticks, (rest.split(None, 1) or [""])[0].lower(), end + 1
        at = end + 1


def _ticks(line: str) -> str:
    """The backticks that make a line a fence, or nothing."""
    text = line.lstrip(" ")
    if len(line) - len(text) > 3 or not text.startswith(FENCE):
        return ""
    return text[: len(text) - len(text.lstrip("`"))]
