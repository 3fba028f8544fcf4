"""Sorts answers into right and wrong, one batch at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from reflection_api.items import Item, Message, Verdict
from reflection_api.reasons import Reason

from ..errors import BadData
from .dataset import SCHEMA, read_rows
from .verifier import RowError, Verifier

_BATCH = 1024
"""Answers judged at a time: what is in memory."""

Attempt = dict[str, Any]
"""A row of a shard of answers."""


class Sift:
    """Writes the wrong answers of a shard to another file."""

    def __init__(self, verifier: Verifier, *, deduplicate: bool) -> None:
        self._verifier, self._deduplicate = verifier, deduplicate

    def run(self, answers: Path, failures: Path, on_done: Callable[[int], None]) -> Counter[str]:
        """Judge a shard of answers.

        Args:
            answers: a shard of attempts, those at one question next to each other.
            failures: the file to write; it has no rows where nothing is wrong.
            on_done: called with the number of answers judged so far.

        Returns:
            Counts: attempts, correct, failures, duplicates, and `reason.<reason>` for each reason of a wrong answer.
        """
        counts: Counter[str] = Counter(attempts=0, correct=0, failures=0, duplicates=0)
        repeated = _Repeated()
        with pq.ParquetWriter(failures, SCHEMA, compression="zstd") as writer:
            for batch in _batches(read_rows(answers)):
                judged = zip(batch, self._judge(batch), strict=True)
                wrong = [(attempt, verdict) for attempt, verdict in judged if not verdict.correct]
                kept = [pair for pair in wrong if not (self._deduplicate and repeated.seen(pair[0]))]
                if kept:  # datasets cannot read a row group without rows
                    writer.write_table(
                        pa.Table.from_pylist([_failure(*pair) for pair in kept], schema=SCHEMA)
                    )
                counts.update(f"reason.{verdict.reason}" for _, verdict in wrong)
                counts.update(attempts=len(batch), correct=len(batch) - len(wrong), failures=len(kept))
                counts.update(duplicates=len(wrong) - len(kept))
                on_done(counts["attempts"])
        return counts

    def _judge(self, batch: list[Attempt]) -> list[Verdict]:
        return judged(self._verifier.verify, [item_of(attempt) for attempt in batch])


def item_of(attempt: Attempt) -> Item:
    """What a verifier sees of an attempt."""
    return Item(
        id=attempt["id"],
        messages=[Message.model_validate(turn) for turn in attempt["messages"]],
        completion=attempt["completion"],
        row=json.loads(attempt["row"]),
    )


def judged(verify: Callable[[Sequence[Item]], list[Verdict]], items: Sequence[Item]) -> list[Verdict]:
    """The verdicts on answers.

    Raises:
        BadData: one cannot be judged because of its row (reason InvalidPrompts).
    """
    try:
        return verify(items)
    except RowError as error:
        raise BadData(
            f"an answer between {items[0].id} and {items[-1].id} cannot be judged: {error}",
            reason=Reason.INVALID_PROMPTS,
        ) from error


class _Repeated:
    """Remembers the texts of the question at hand only: the answers to one question stand together."""

    def __init__(self) -> None:
        self._question, self._texts = "", set[str]()

    def seen(self, attempt: Attempt) -> bool:
        if attempt["question_id"] != self._question:
            self._question, self._texts = attempt["question_id"], set()
        repeated = attempt["completion"] in self._texts
        self._texts.add(attempt["completion"])
        return repeated


def _failure(attempt: Attempt, verdict: Verdict) -> dict[str, Any]:
    return {name: attempt[name] for name in SCHEMA.names if name != "reason"} | {"reason": verdict.reason}


def _batches(rows: Iterable[Attempt]) -> Iterator[list[Attempt]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
