"""Conversations and the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..conversation import Turn


def prompt_ids(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> list[int]:
    """Token ids of a conversation up to where the assistant's answer begins; the last turn is the user's."""
    return list(
        tokenizer.apply_chat_template(
            [dict(turn) for turn in turns],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
    )
