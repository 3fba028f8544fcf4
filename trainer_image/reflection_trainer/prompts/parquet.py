"""Prompts in Parquet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .rows import Row, refuse

_BATCH = 1024


def read_parquet(path: Path, name: str) -> Iterator[Row]:
    """Rows of a Parquet file, which messages call `name`.

    Raises:
        BadData: it is not one, or a column has a type that JSON cannot hold.
    """
    number = 0
    for batch in _batches(path, name):
        for columns in batch.to_pylist():
            number += 1
            place = f"{name}: row {number}"
            plain = {column: _plain(value, column, place) for column, value in columns.items()}
            yield Row(number, place, plain)


def _batches(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH)
    except (pa.ArrowException, OSError) as error:
        problem = f"cannot be read as Parquet: {str(error).splitlines()[0]}"
        refuse(name, problem, "write it again, or name it .jsonl if it holds JSON lines")


def _plain(value: Any, column: str, place: str) -> Any:
    """The value, if JSON can hold it."""
    if isinstance(value, dict):
        return {name: _plain(item, column, place) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, column, place) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        refuse(place, f'column "{column}" holds {value}, which JSON cannot hold', "use null or drop the row")
    if value is None or isinstance(value, str | int | float):
        return value
    problem = f'column "{column}" has the type {type(value).__name__}, which JSON cannot hold'
    return refuse(place, problem, "use strings, numbers, booleans, lists and structs")
