"""What a model said on the held-out questions, as tables that plain Parquet readers read, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

TOO_LONG = "too_long"
"""Reason of a retry that was not made: the conversation has no room in the model's context. It counts as wrong."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """One judged first answer."""

    question_id: str
    question: str
    attempt: int
    completion: str
    correct: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """One failed first answer and what one model made of it."""

    question_id: str
    question: str
    attempt: int
    failed: str
    """The failed first answer."""
    reason: str
    """Why the verifier refused it."""
    fixed: bool
    """Whether it belongs to the fixed set, the base model's failures; else it is the model's own."""
    reflection: str
    reflection_tokens: int
    reflection_truncated: bool
    retry: str
    retry_correct: bool
    retry_reason: str
    leak: bool
    """Whether the retry's answer already stands in the reflection."""
    fresh: str | None
    """Control: a new answer without a reflection. Controls are asked for on the fixed set only."""
    fresh_correct: bool | None
    shuffled_retry: str | None
    """Control: the retry after a reflection on another question; absent where there was no other one."""
    shuffled_correct: bool | None
    plain: str | None = None
    """Control: an answer to the question put again, without a reflection. This and what follows where it is asked for."""
    plain_correct: bool | None = None
    generic_retry: str | None = None
    """Control: the retry after the general sentence."""
    generic_correct: bool | None = None
    swapped_retry: str | None = None
    """Control: the retry after the other model's reflection on this failure."""
    swapped_correct: bool | None = None


@dataclass(frozen=True, slots=True)
class CrossedRetry:
    """The base model's retry on one of its failures, after the trained model's reflection."""

    question_id: str
    question: str
    attempt: int
    reflection: str
    retry: str
    retry_correct: bool
    retry_reason: str


Row = TypeVar("Row", FirstAnswer, Transcript, CrossedRetry)

_ARROW_TYPES = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_()}


def write_rows(path: Path, rows: Sequence[Row], kind: type[Row]) -> None:
    """Write one kind of rows as Parquet. Equal rows give equal bytes; an empty table keeps its columns."""
    schema = pa.schema(
        [(field.name, _ARROW_TYPES[str(field.type).removesuffix(" | None")]) for field in fields(kind)]
    )
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    pq.write_table(table, path, compression="zstd")


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows in a file that `write_rows` wrote."""
    return [kind(**row) for row in pq.read_table(path).to_pylist()]
