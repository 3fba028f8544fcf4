"""The failures as training reads them: prompts rendered, too long ones left out, in one file that all processes share."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from reflection_api.reasons import Reason

from ..conversation import REREAD, Conversation
from ..errors import BadData
from .reflect_retry import Failure

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SCHEMA = pa.schema(
    [*((name, pa.large_string()) for name in ("id", "prompt", "row")), ("tokens", pa.int64())]
)
_CHUNK = 1024


@dataclass(frozen=True)
class Budget:
    """Tokens that a whole conversation may have, and what of it the model's own words take."""

    context: int
    reflection: int
    retry: int

    def longest(self, reflection_prompt: int, retry_prompt: int) -> int:
        """Tokens of the longer one of both steps, where the model writes as much as it may.

        Args:
            reflection_prompt: tokens up to the request to reflect.
            retry_prompt: tokens up to the question put again, with an empty reflection.
        """
        return max(reflection_prompt, retry_prompt + self.retry) + self.reflection

    def room(self, longest: int) -> int:
        """Tokens that a model that samples needs room for, for conversations of up to so many, at most its context."""
        return min(self.context, longest + math.ceil((REREAD - 1) * self.reflection))


@dataclass(frozen=True)
class Prepared:
    """What came of preparing the failures."""

    kept: int
    left_out: int
    note: str
    """A sentence about what was left out; empty where nothing was."""


class FailureTable:
    """The prepared failures, mapped from disk: processes of one machine share its memory, and only what is taken is read."""

    def __init__(self, path: Path) -> None:
        self._file = pa.ipc.open_file(pa.memory_map(str(path)))
        sizes = (self._file.get_batch(number).num_rows for number in range(self._file.num_record_batches))
        self._ends: list[int] = list(accumulate(sizes))

    def longest(self) -> int:
        """Tokens of the longest conversation that can come of a failure."""
        batches = map(self._file.get_batch, range(self._file.num_record_batches))
        return max(int(pc.max(batch.column("tokens")).as_py() or 0) for batch in batches)

    def __len__(self) -> int:
        return self._ends[-1]

    def take(self, numbers: Sequence[int]) -> list[Failure]:
        """The failures of these rows; one that stands in several rows is read once."""
        failures = {number: self._read(number) for number in dict.fromkeys(numbers)}
        return [failures[number] for number in numbers]

    def _read(self, number: int) -> Failure:
        # Not `Table.take`: it would copy the whole column to pick one row of it.
        batch = bisect_right(self._ends, number)
        offset = number - (self._ends[batch - 1] if batch else 0)
        (row,) = self._file.get_batch(batch).slice(offset, 1).to_pylist()
        return _decoded(row)


def prepare(
    rows: Iterable[dict[str, Any]],
    path: Path,
    *,
    conversation: Conversation,
    tokenizer: PreTrainedTokenizerBase,
    budget: Budget,
) -> Prepared:
    """Write the file that `FailureTable` reads.

    Each row has id, messages, completion and row (the prompt row's own columns).

    Raises:
        BadData: not one failure fits into the model's context, or there is none at all.
        TemplateProblem: a template cannot be rendered.
    """
    kept, left_out, longest = 0, 0, (0, "")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        for chunk in _chunks(rows):
            failures = [
                Failure(
                    row["id"],
                    conversation.reflection_prompt(row["messages"], row["completion"], row["row"]),
                    row["row"],
                )
                for row in chunk
            ]
            fitting = []
            for failure, (prompt, again) in zip(
                failures, _lengths(failures, conversation, tokenizer), strict=True
            ):
                tokens = budget.longest(prompt, again)
                if tokens <= budget.context:
                    fitting.append((failure, tokens))
                else:
                    left_out += 1
                    longest = max(longest, (max(prompt, again), failure.id))
            kept += len(fitting)
            writer.write_table(_encoded(fitting))
    note = _note(left_out, kept + left_out, longest, budget)
    if not kept:
        raise BadData(
            note or "the dataset of failures is empty: there is nothing to train on",
            reason=Reason.DATASET_EMPTY,
        )
    return Prepared(kept, left_out, note)


def _lengths(
    failures: Sequence[Failure], conversation: Conversation, tokenizer: PreTrainedTokenizerBase
) -> list[tuple[int, int]]:
    """Tokens of the prompts of both steps, the second with an empty reflection."""
    first = [failure.prompt for failure in failures]
    second = [conversation.retry_prompt(failure.prompt, "", failure.row) for failure in failures]
    ids: Any = tokenizer.apply_chat_template(
        first + second, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    lengths = [len(row) for row in ids]
    return list(zip(lengths[: len(first)], lengths[len(first) :], strict=True))


def _note(left_out: int, total: int, longest: tuple[int, str], budget: Budget) -> str:
    if not left_out:
        return ""
    tokens, id_ = longest
    return (
        f"{left_out:,} of {total:,} failures are left out: with spec.training.reflectionMaxTokens {budget.reflection} and "
        f"retryMaxTokens {budget.retry} their conversation can exceed the model's context of {budget.context:,} tokens "
        f"(the longest, {id_}, has {tokens:,} before the model writes); lower the limits or spec.rollout.sampling.maxTokens"
    )


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _encoded(failures: Sequence[tuple[Failure, int]]) -> pa.Table:
    """Failures with the tokens of the conversations that can come of them."""
    return pa.table(
        {
            "id": [failure.id for failure, _ in failures],
            "prompt": [json.dumps(failure.prompt) for failure, _ in failures],
            "row": [json.dumps(failure.row) for failure, _ in failures],
            "tokens": [tokens for _, tokens in failures],
        },
        schema=_SCHEMA,
    )


def _decoded(row: dict[str, Any]) -> Failure:
    return Failure(row["id"], json.loads(row["prompt"]), json.loads(row["row"]))
