"""Rows of a prompts file, one at a time, each with the place that messages name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
from reflection_api.reasons import Reason

from ..errors import BadData

_MAX_LINE = 16 << 20
"""Bytes of a line: a longer one is a file that is not JSON lines."""
_PARQUET_BATCH = 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row of the file."""

    number: int
    """Line of a JSON lines file, row of a Parquet file; both from 1."""
    place: str
    """For messages: `train.jsonl:7` or `train.parquet: row 7`."""
    columns: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSON lines or Parquet file, by its suffix; at most one batch is in memory.

    Raises:
        BadData: the file is not what its suffix says, or a row is malformed.
    """
    return _read_parquet(path) if path.suffix == ".parquet" else _read_json_lines(path)


def _read_json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MAX_LINE + 1):
            number += 1
            place = f"{path.name}:{number}"
            if len(line) > _MAX_LINE:
                _refuse(place, f"the line is longer than {_MAX_LINE >> 20} MiB", "write one row per line")
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if line.strip():
                yield Row(number, place, _parse(line, place))


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        _refuse(
            place,
            f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8",
            "save the file as UTF-8",
        )
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        _refuse(place, "the line is nested too deeply", "write flat rows")
    except ValueError as error:
        _refuse(place, f"the line is not JSON: {error}", "write one JSON object per line")
    if isinstance(value, list):
        _refuse(
            place,
            "the line is a JSON array",
            "write one JSON object per line, without brackets around the file",
        )
    if not isinstance(value, dict):
        _refuse(
            place,
            f"the line is {text.strip()[:40]}, not a JSON object",
            'write rows such as {"prompt": "..."}',
        )
    try:
        text.encode("utf-8")
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        _refuse(place, r"a string holds half a surrogate pair (\ud800 to \udfff)", "write whole characters")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH):
                for columns in batch.to_pylist():
                    number += 1
                    place = f"{path.name}: row {number}"
                    yield Row(
                        number, place, {name: _plain(value, name, place) for name, value in columns.items()}
                    )
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        message = str(error).splitlines()[0]
        _refuse(
            path.name,
            f"cannot be read as Parquet: {message}",
            "write it again, or name it .jsonl if it holds JSON lines",
        )


def _plain(value: Any, column: str, place: str) -> Any:
    """The value if JSON can hold it: rows travel as JSON to the verifier and into the dataset."""
    if isinstance(value, dict):
        return {name: _plain(item, column, place) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, column, place) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        _refuse(place, f'column "{column}" holds {value}, which JSON cannot', "use null or drop the row")
    if value is None or isinstance(value, str | int | float):
        return value
    problem = f'column "{column}" has the type {type(value).__name__}, which JSON cannot hold'
    return _refuse(place, problem, "use strings, numbers, lists and structs")


def _refuse(place: str, problem: str, remedy: str) -> NoReturn:
    raise BadData(f"{place}: {problem}; {remedy}", reason=Reason.INVALID_PROMPTS)
