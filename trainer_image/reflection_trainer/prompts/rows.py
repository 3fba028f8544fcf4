"""Rows of a prompts file, one at a time, each with the place that messages name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from reflection_api.reasons import Reason

from ..errors import BadData


class Row(NamedTuple):
    """A row of the file. Its values are what JSON can hold: rows travel as JSON to the verifier and into the dataset."""

    number: int
    """Line of a JSON lines file, row of a Parquet file; both from 1."""
    place: str
    """For messages: `train.jsonl:7` or `train.parquet: row 7`, behind the field that names the file, if one does."""
    columns: dict[str, Any]


def read_rows(path: Path, name: str = "") -> Iterator[Row]:
    """Rows of a JSON lines or Parquet file, by its suffix; at most one batch is in memory.

    Args:
        path: the file.
        name: what messages call it. Default: its name.

    Raises:
        BadData: the file is not what its suffix says, or a row is malformed (reason InvalidPrompts).
    """
    if path.suffix == ".parquet":
        from .parquet import read_parquet

        return read_parquet(path, name or path.name)
    from .json_lines import read_json_lines

    return read_json_lines(path, name or path.name)


def refuse(place: str, problem: str, remedy: str) -> NoReturn:
    """Say what is wrong with a row and what to do.

    Raises:
        BadData: always (reason InvalidPrompts).
    """
    raise BadData(f"{place}: {problem}; {remedy}", reason=Reason.INVALID_PROMPTS)
