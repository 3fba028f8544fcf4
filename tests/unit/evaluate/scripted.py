"""A model whose every word is decided by a function: the real candidate, verifier and statistics work with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reflection_api.contract import StageConfig
from reflection_trainer.engines import Completion, ConversationTooLong, Throughput
from reflection_trainer.prompts.question import Question, question_id

from ...support.stage_runs import stage_config

Turns = Sequence[dict[str, str]]


class Words:
    """A tokenizer with one token per word."""

    def apply_chat_template(self, turns: Turns, **_: Any) -> list[int]:
        return [len(word) for turn in turns for word in turn["content"].split()]


class ScriptedEngine:
    """Answers as `say(turns, seed)` does; remembers what it was asked, in order."""

    def __init__(self, say: Callable[[Turns, int], str], context_length: int = 10_000) -> None:
        self.tokenizer = Words()
        self.context_length = context_length
        self.throughput = Throughput()
        self.asked: list[tuple[Turns, int]] = []
        self._say = say

    def generate(self, conversations, sampling, seeds, *, on_done=None):
        for index, turns in enumerate(conversations):
            tokens = len(self.tokenizer.apply_chat_template(turns))
            if tokens + sampling.max_tokens > self.context_length:
                raise ConversationTooLong(index, tokens, sampling.max_tokens, self.context_length)
        self.asked += zip(conversations, seeds, strict=True)
        texts = [self._say(turns, seed) for turns, seed in zip(conversations, seeds, strict=True)]
        if on_done:
            on_done(len(texts))
        return [Completion(text, max(1, len(text.split())), truncated=False) for text in texts]

    def close(self) -> None:
        pass


def config(folder: Path = Path("/nowhere"), **changes: Any) -> StageConfig:
    """Questions are answered by a letter; the answer is right if it is the row's."""
    settings: dict[str, Any] = {
        "task.verifier": {"builtin": {"name": "exact"}},
        "task.templates": {"reflection": "what went wrong", "retry": "again {{ question }}"},
        "training.reflectionMaxTokens": 6,
        "training.retryMaxTokens": 4,
    }
    return stage_config(
        "evaluate",
        folder=folder / "runs",
        model=folder / "model",
        prompts=folder / "train.jsonl",
        changes=settings | changes,
    )


def question(number: int, answer: str = "a") -> Question:
    text = f"question {number}"
    return Question(
        id=question_id(number, text),
        messages=[{"role": "user", "content": text}],
        text=text,
        row={"answer": answer},
        place=f"train.jsonl:{number}",
    )


def role_of(turns: Turns) -> str:
    """What the model is asked for: an `answer`, a `reflection` or a `retry`."""
    return {1: "answer", 3: "reflection", 5: "retry"}[len(turns)]
