"""Finding the answer in a completion. Linear in its length, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator

OPENING, CLOSING = "<answer>", "</answer>"

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
