"""What a verifier sees and says: one shape for files, HTTP and the command line."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import ApiModel


class Message(ApiModel):
    """One turn of a conversation, in the shape chat templates take."""

    role: Literal["system", "user", "assistant"]
    content: str


class Item(ApiModel):
    """One completion to judge."""

    id: str = Field(description="Unique within a batch; the verdict carries it back.")
    messages: list[Message] = Field(
        default_factory=list, description="The conversation that led to the completion; may be absent."
    )
    completion: str = Field(description="The text that the model wrote. Hostile input.")
    row: dict[str, Any] = Field(
        default_factory=dict, description="The prompt row's own columns, for example nums and target."
    )


class Verdict(ApiModel):
    """The judgement of one item."""

    id: str
    correct: bool
    reason: str = Field(
        max_length=200, description="A word from the verifier's closed list; the report counts them."
    )
