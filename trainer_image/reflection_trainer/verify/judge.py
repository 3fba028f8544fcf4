"""Judges a stream of items: JSON lines in, JSON lines out, memory flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from reflection_api.items import Item

from .item_lines import BadLine, numbered_items
from .verifier import RowError, Verifier

BATCH_ITEMS = 256
BATCH_CHARACTERS = 4_000_000
"""A batch ends at whichever it reaches first, so that memory is bounded for long completions too."""


def judge_stream(verifier: Verifier, lines_in: BinaryIO, out: TextIO) -> Counter[str]:
    """Write one verdict line for each item line, in order, and return how often each reason was given.

    Raises:
        BadLine: a line is not an item or its row is not what the verifier needs. Every line before it has its verdict.
    """
    given: Counter[str] = Counter()
    for batch in _batches(_checked(verifier, lines_in)):
        verdicts = verifier.verify(batch)
        out.writelines(f"{verdict.to_json()}\n" for verdict in verdicts)
        given.update(verdict.reason for verdict in verdicts)
    return given


def summary(given: Counter[str]) -> str:
    """The counts in one sentence."""
    total = given.total()
    if not total:
        return "no items"
    parts = [f"{reason} {count:,} ({count / total:.1%})" for reason, count in given.most_common()]
    return f"{total:,} item{'' if total == 1 else 's'}: {', '.join(parts)}"


def _checked(verifier: Verifier, lines_in: BinaryIO) -> Iterator[Item]:
    for line, item in numbered_items(lines_in):
        try:
            verifier.check_row(item.row)
        except RowError as error:
            raise BadLine(line, str(error)) from error
        yield item


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Lists of items. What came before an error is still judged: the error goes on after it."""
    batch: list[Item] = []
    size = 0
    try:
        for item in items:
            batch.append(item)
            size += len(item.completion)
            if len(batch) >= BATCH_ITEMS or size >= BATCH_CHARACTERS:
                yield batch
                batch, size = [], 0
    except BadLine:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
