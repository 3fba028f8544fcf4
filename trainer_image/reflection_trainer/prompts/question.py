"""One question of the prompts file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..conversation import Turn


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation that ends with a question, and what the verifier needs to judge the answer."""

    id: str
    """`<row number>-<hash of the question>`: the same as long as the file is; row numbers start at 1."""
    messages: list[Turn]
    """The system message, if any, and the turns of the row; the last one is the user's."""
    text: str
    """The question: the content of the last turn."""
    row: dict[str, Any]
    """The row's own columns by their expected names, without the one that became the messages. JSON values only."""
    place: str = ""
    """Where the row stands, for messages: `train.jsonl:7`."""

    @property
    def key(self) -> str:
        """What makes two questions the same one, whatever row they stand in and whatever the system message is."""
        return conversation_key(self.messages)


def conversation_key(turns: Iterable[Turn]) -> str:
    """What equal conversations have in common, whatever their system message is."""
    return "\n".join(
        f"{turn['role']}: {turn['content'].strip()}" for turn in turns if turn["role"] != "system"
    )


def question_id(number: int, text: str) -> str:
    """The id of the question in row `number`."""
    return f"{number:08d}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
