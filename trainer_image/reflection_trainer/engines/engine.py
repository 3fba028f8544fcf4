"""What an engine does: conversations in, sampled answers out, each from its own seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .chat import prompt_ids

if TYPE_CHECKING:
    from reflection_api.spec.rollout import SamplingSpec
    from transformers import PreTrainedTokenizerBase

    from ..conversation import Turn


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer."""

    text: str
    token_count: int
    """Tokens generated, the end token included."""
    truncated: bool
    """Whether the answer was cut off at the token limit."""


class ConversationTooLong(ValueError):
    """A conversation leaves no room for the answer in the model's context."""

    def __init__(self, index: int, prompt_tokens: int, max_tokens: int, context_length: int) -> None:
        super().__init__(
            f"conversation {index} has {prompt_tokens} tokens; with {max_tokens} for the answer "
            f"it does not fit into the context of {context_length} tokens"
        )
        self.index, self.prompt_tokens = index, prompt_tokens
        self.max_tokens, self.context_length = max_tokens, context_length


@dataclass
class Throughput:
    """Tokens generated since the engine was opened, and the seconds it took."""

    tokens: int = 0
    _seconds: float = 0.0
    _started: float | None = None

    @property
    def seconds(self) -> float:
        """Time in `generate`, the call under way included."""
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return self._seconds + running

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens per second of `generate`; 0 before the first call."""
        seconds = self.seconds
        return self.tokens / seconds if seconds else 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add the time that the block takes."""
        self._started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds, self._started = self.seconds, None


OnDone = Callable[[int], None]
"""Called with the number of conversations that are answered so far, as often as the engine finishes some."""


class Engine(Protocol):
    """A loaded model. One at a time: close it before the next one is opened."""

    tokenizer: PreTrainedTokenizerBase
    context_length: int
    """Tokens that conversation and answer may have together."""
    throughput: Throughput

    def generate(
        self,
        conversations: Sequence[Sequence[Turn]],
        sampling: SamplingSpec,
        seeds: Sequence[int],
        *,
        on_done: OnDone | None = None,
    ) -> list[Completion]:
        """One answer per conversation, in order. `sampling.seed` is not used: every answer has its own seed.

        The same call on the same machine gives the same answers.

        Raises:
            ConversationTooLong: a conversation leaves no room for `sampling.max_tokens` tokens.
        """
        ...

    def close(self) -> None:
        """Free the model's memory. Nothing can be generated afterwards."""
        ...


def encoded(
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Sequence[Turn]],
    sampling: SamplingSpec,
    seeds: Sequence[int],
    context_length: int,
) -> list[list[int]]:
    """Token ids of every conversation, checked: what each engine does first.

    Raises:
        ConversationTooLong: a conversation leaves no room for the answer.
    """
    if len(seeds) != len(conversations):
        raise ValueError(f"{len(conversations)} conversations need as many seeds, not {len(seeds)}")
    # The attempts at one question share its conversation, and rendering them all again takes time from the engine.
    distinct = {id(turns): turns for turns in conversations}
    rendered = {key: prompt_ids(tokenizer, turns) for key, turns in distinct.items()}
    prompts = [list(rendered[id(turns)]) for turns in conversations]
    for index, ids in enumerate(prompts):
        if len(ids) + sampling.max_tokens > context_length:
            raise ConversationTooLong(index, len(ids), sampling.max_tokens, context_length)
    return prompts
