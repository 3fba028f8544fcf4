"""What each model said on the held-out questions, as rows that can be read again: one file per model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class Transcript:
    """One failed first answer and what one model made of it."""

    question_id: str
    question: str
    attempt: int
    failed: str
    """The failed first answer: the base model's own, or this model's own."""
    reason: str
    """Why the verifier refused it."""
    fixed: bool
    """Whether it belongs to the fixed set: the base model's failures."""
    reflection: str
    reflection_tokens: int
    reflection_truncated: bool
    retry: str
    retry_correct: bool
    retry_reason: str
    leak: bool
    """Whether the retry's answer already stands in the reflection."""
    fresh: str
    """A new answer without a reflection; empty where the control was not asked for."""
    fresh_correct: bool
    shuffled_retry: str
    """The retry after a reflection that was written for another question."""
    shuffled_correct: bool


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """One judged first answer."""

    question_id: str
    question: str
    attempt: int
    completion: str
    correct: bool
    reason: str


def write_rows(path: Path, rows: Iterable[Any], kind: type) -> int:
    """Write dataclass rows as Parquet; returns their number. An empty table keeps its columns."""
    values = [asdict(row) for row in rows]
    columns = {field.name: [value[field.name] for value in values] for field in fields(kind)}
    arrow_types = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_()}
    schema = pa.schema([(field.name, arrow_types[str(field.type)]) for field in fields(kind)])
    pq.write_table(pa.table(columns, schema=schema), path, compression="zstd")
    return len(values)


def read_transcripts(path: Path) -> list[Transcript]:
    """The transcripts in a file that `write_rows` wrote."""
    return [Transcript(**row) for row in pq.read_table(path).to_pylist()]


def read_first_answers(path: Path) -> list[FirstAnswer]:
    """The first answers in a file that `write_rows` wrote."""
    return [FirstAnswer(**row) for row in pq.read_table(path).to_pylist()]
