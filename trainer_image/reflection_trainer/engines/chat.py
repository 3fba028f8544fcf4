"""Conversations and the model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Conversation = Sequence[Mapping[str, str]]
"""Turns of `{"role": ..., "content": ...}`; the last one is the user's."""


def prompt_ids(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> list[int]:
    """Token ids of a conversation up to where the assistant's answer begins."""
    return list(
        tokenizer.apply_chat_template(
            [dict(turn) for turn in conversation],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
    )
