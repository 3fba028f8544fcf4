"""What the trained reflections are held against, on the same failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflection_api.spec import Control

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

PLAIN: Control = "plainRetry"
GENERIC: Control = "genericReflection"
SWAPPED: Control = "swappedReflection"


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and what the verifier says of it."""

    text: str
    correct: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Controls:
    """Answers to a failure other than the retry after the own reflection; None where one was not asked for."""

    fresh: Judged | None = None
    shuffled: Judged | None = None
    plain: Judged | None = None
    generic: Judged | None = None
    swapped: Judged | None = None


def answers_with_controls(asked: frozenset[Control], *, swapped: bool) -> int:
    """Answers to a fixed failure: reflection, retry, fresh try, retry after a shuffled reflection, and what is asked for."""
    return 4 + (PLAIN in asked) + (GENERIC in asked) + (SWAPPED in asked and swapped)


def tokens_without_reflection(config: StageConfig) -> int:
    """Tokens of a fresh try or a plain retry, at most: what reflection and retry have together.

    A control with fewer would lose by its length alone.
    """
    return config.training.reflection_max_tokens + config.training.retry_max_tokens
