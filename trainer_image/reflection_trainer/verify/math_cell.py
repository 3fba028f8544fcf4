"""The locked-down side of `math`."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

from ..confine.batch import answer_lines
from . import sympy_guard

logging.getLogger("math_verify").setLevel(
    logging.CRITICAL
)  # it warns that it has no time limit of its own: this place has
sympy_guard.preload()
sympy_guard.install()


def batch(requests: int, replies: int) -> None:
    """Answer whether completions hold the wanted answers."""
    answer_lines(_judge, requests, replies)


def _judge(question: Any) -> str:
    wanted, completion = question
    try:
        found = parse(completion, parsing_timeout=0)
        if not found:
            return "no_answer"
        return "correct" if verify(_wanted(wanted), found, timeout_seconds=0) else "wrong_answer"
    except (MemoryError, RecursionError):
        return "too_complex"


@lru_cache(maxsize=1024)
def _wanted(answer: str) -> list[Any]:
    """The row's answer: LaTeX, whether it says so or not."""
    marked = "$" in answer or "\\boxed" in answer
    return list(parse(answer if marked else f"${answer}$", parsing_timeout=0))


for _example in (
    "\\boxed{\\frac{1}{2}}",
    "1/2",
    "$[1, 2]$",
    "$x + 1$",
    "$1 < x$",
    "\\begin{pmatrix}1&2\\end{pmatrix}",
):
    _judge(
        [_example, f"so ${_example}$ \\boxed{{{_example}}}"]
    )  # loads the tables and compiles the patterns once, here
