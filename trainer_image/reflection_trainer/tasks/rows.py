"""Rows that somebody has already, with columns of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reflection_api.tasks import RowsSource

from ..prompts.question import conversation_key
from ..prompts.rows import read_rows
from ..prompts.turns import row_turns
from .row import TaskRow


def own_rows(source: RowsSource) -> Iterator[TaskRow]:
    """The rows of a JSON lines or Parquet file, as they are; each has a question.

    Raises:
        BadData: a row has none.
    """
    for row in read_rows(Path(source.file)):
        turns, _ = row_turns(row, source.columns)
        yield TaskRow(conversation_key(turns), row.columns)
