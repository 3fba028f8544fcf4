"""The method's two steps, whatever generates the text: reflect on a failed answer, then retry in the same conversation.

The reflection is what is trained. The retry exists to find out whether the reflection helped: it is judged, and unless the
credit scope says otherwise forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..conversation import Conversation, Turn
from .meter import Meter
from .reward import RetryReward


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
class Sample:
    """What the model wrote in one conversation."""

    prompt_ids: list[int]
    token_ids: list[int]
    """Sampled tokens, at least one, the end token included where it was reached."""
    text: str
    finished: bool
    """Whether it ended by itself; else it was cut off at the token limit."""
    logprobs: list[float] | None = None
    """Log-probability of every sampled token, where the generator tells it; not a number where none was sampled."""
    sampled: bool = True
    """False where the conversation left no room for a word: prompt and text are then one token that only stands for that."""


class Generator(Protocol):
    """Samples one continuation of every conversation with the policy as it is now."""

    def generate(self, conversations: Sequence[list[Turn]], max_new_tokens: int) -> list[Sample]:
        """Continue each conversation by at most `max_new_tokens` tokens."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A reflection, the retries that followed it, and what it earned."""

    failure: Failure
    reflection: Sample
    retries: list[Sample]
    reward: float


class ReflectRetry:
    """Reflects on failures, retries, and has the retries judged."""

    def __init__(
        self,
        conversation: Conversation,
        reward: RetryReward,
        *,
        reflection_tokens: int,
        retry_tokens: int,
        retries: int,
        meter: Meter,
    ) -> None:
        self._conversation = conversation
        self._reward = reward
        self._reflection_tokens = reflection_tokens
        self._retry_tokens = retry_tokens
        self._retries = retries
        self._meter = meter

    def run(self, failures: Sequence[Failure], generator: Generator) -> list[Trial]:
        """One trial per row. A failure that stands in several rows is reflected on anew in each."""
        reflections, flat = self._sampled(failures, generator)
        retries = [flat[start : start + self._retries] for start in range(0, len(flat), self._retries)]
        self._meter.count_samples(reflections, flat)
        rewards = self._reward.score(failures, reflections, retries)
        return [Trial(*row) for row in zip(failures, reflections, retries, rewards, strict=True)]

    def accompany(self, failure: Failure, generator: Generator) -> None:
        """Sample as often as `run` does, for nothing: it is neither judged nor counted, but for the time it takes."""
        self._sampled([failure], generator)

    def _sampled(
        self, failures: Sequence[Failure], generator: Generator
    ) -> tuple[list[Sample], list[Sample]]:
        """A reflection for each row, and the retries of all rows one after the other."""
        with self._meter.phase("reflect"):
            reflections = generator.generate(
                [failure.prompt for failure in failures], self._reflection_tokens
            )
        with self._meter.phase("retry"):
            flat = generator.generate(self._retry_prompts(failures, reflections), self._retry_tokens)
        return reflections, flat

    def _retry_prompts(self, failures: Sequence[Failure], reflections: Sequence[Sample]) -> list[list[Turn]]:
        return [
            self._conversation.retry_prompt(failure.prompt, reflection.text, failure.row)
            for failure, reflection in zip(failures, reflections, strict=True)
            for _ in range(self._retries)
        ]
