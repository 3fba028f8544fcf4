"""The method's two steps, whatever generates the text: reflect on a failed answer, then retry in the same conversation.

The reflection is what is trained. The retry exists to find out whether the reflection helped: it is judged and forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..conversation import Conversation, Turn
from .meter import Meter


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed answer, put to the model as a request to reflect."""

    id: str
    prompt: list[Turn]
    """The conversation up to the request to reflect."""
    row: dict[str, Any]
    """The prompt row's own columns."""

    @property
    def question(self) -> list[Turn]:
        """The conversation that led to the failed answer."""
        return self.prompt[:-2]


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote for a batch of conversations, in their order."""

    prompt_ids: list[list[int]]
    token_ids: list[list[int]]
    """Sampled tokens of each row, at least one, the end token included where the row reached it."""
    texts: list[str]
    finished: list[bool]
    """Whether the row ended by itself; else it was cut off at the token limit."""
    logprobs: list[list[float]] | None
    """Log-probability of every sampled token, where the generator tells it."""

    @property
    def tokens(self) -> int:
        """Sampled tokens of all rows."""
        return sum(map(len, self.token_ids))


class Generator(Protocol):
    """Samples one continuation of every conversation with the policy as it is now."""

    def generate(self, conversations: Sequence[list[Turn]], max_new_tokens: int) -> Generation:
        """Continue each conversation by at most `max_new_tokens` tokens."""


@dataclass(frozen=True, slots=True)
class TwoSteps:
    """Reflections and the retries that followed them, row by row."""

    reflections: Generation
    retries: Generation


class ReflectRetry:
    """Generates both steps for a batch of failures."""

    def __init__(
        self, conversation: Conversation, *, reflection_tokens: int, retry_tokens: int, meter: Meter
    ) -> None:
        self._conversation = conversation
        self._reflection_tokens = reflection_tokens
        self._retry_tokens = retry_tokens
        self._meter = meter

    def run(self, failures: Sequence[Failure], generator: Generator) -> TwoSteps:
        """One reflection and one retry per row. A failure that stands in several rows is reflected on anew in each."""
        with self._meter.phase("reflect"):
            reflections = generator.generate(
                [failure.prompt for failure in failures], self._reflection_tokens
            )
        with self._meter.phase("retry"):
            retries = generator.generate(self._retry_prompts(failures, reflections.texts), self._retry_tokens)
        self._meter.count_tokens(reflections.tokens, retries.tokens)
        self._meter.count_rows(
            rows=len(failures),
            truncated=reflections.finished.count(False),
            retries_truncated=retries.finished.count(False),
        )
        return TwoSteps(reflections, retries)

    def _retry_prompts(self, failures: Sequence[Failure], reflections: Sequence[str]) -> list[list[Turn]]:
        return [
            self._conversation.retry_prompt(failure.prompt, reflection, failure.row)
            for failure, reflection in zip(failures, reflections, strict=True)
        ]
