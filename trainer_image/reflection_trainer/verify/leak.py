"""Whether a reflection gives the answer away."""

from __future__ import annotations

from .answers import lines_from_end, tagged_answer

_MIN_LENGTH = 3
"""Characters below which an answer stands in most texts by chance."""


def leaks(reflection: str, retry: str) -> bool:
    """Whether the retry's answer already stands in the reflection, white space aside.

    The answer is what stands in the last answer tags, else the last line that holds anything.
    """
    answer = tagged_answer(retry)
    if answer is None:
        answer = next((line for line in lines_from_end(retry) if line.strip()), "")
    needle = "".join(answer.split())
    return len(needle) >= _MIN_LENGTH and needle in "".join(reflection.split())
