"""Attempts as Parquet, readable by plain `datasets.load_dataset("parquet", ...)`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from ..engines import Completion
    from .shards import Attempt

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question_id", pa.string()),
        ("messages", MESSAGES),
        ("completion", pa.string()),
        ("attempt", pa.int32()),
        ("seed", pa.int64()),
        ("tokens", pa.int32()),
        ("truncated", pa.bool_()),
        ("row", pa.string()),
    ]
)
"""`row` is a JSON string: rows of one file need not have the same columns or types."""


def write_attempts(path: Path, attempts: Sequence[Attempt], completions: Sequence[Completion]) -> None:
    """Write one row per attempt, in order. Equal input gives equal bytes."""
    rows = [
        {
            "id": attempt.id,
            "question_id": attempt.question.id,
            "messages": attempt.question.messages,
            "completion": completion.text,
            "attempt": attempt.number,
            "seed": attempt.seed,
            "tokens": completion.token_count,
            "truncated": completion.truncated,
            "row": json.dumps(attempt.question.row, ensure_ascii=False),
        }
        for attempt, completion in zip(attempts, completions, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")
