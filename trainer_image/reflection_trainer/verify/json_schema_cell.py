"""The locked-down side of `json_schema`."""

from __future__ import annotations

from typing import Any

from ..confine.batch import answer_lines
from .schemas import compiled


def batch(requests: int, replies: int) -> None:
    """Answer whether values conform to schemas."""
    answer_lines(_judge, requests, replies)


def _judge(question: Any) -> str:
    schema, value = question
    try:
        return "correct" if compiled(schema).is_valid(value) else "schema_mismatch"
    except (MemoryError, RecursionError):
        return "too_complex"
    except (
        ArithmeticError
    ):  # a number that a keyword cannot compute with, such as multipleOf of a very long one
        return "schema_mismatch"
