"""What every engine does first: conversations become token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from reflection_api.spec.rollout import SamplingSpec
from reflection_trainer.engines.engine import ConversationTooLong, encoded

SAMPLING = SamplingSpec(max_tokens=4)


class Letters:
    """A tokenizer whose tokens are the letters of the last turn; counts what it renders."""

    def __init__(self) -> None:
        self.rendered = 0

    def apply_chat_template(self, turns: Sequence[dict[str, str]], **_: Any) -> list[int]:
        self.rendered += 1
        return [ord(letter) for letter in turns[-1]["content"]]


def ids(tokenizer: Letters, conversations: Sequence[Any], context_length: int = 10) -> list[list[int]]:
    seeds = range(len(conversations))
    return encoded(cast("Any", tokenizer), conversations, SAMPLING, seeds, context_length)


def test_each_conversation_is_rendered_once_however_often_it_is_answered() -> None:
    first, second = ([{"role": "user", "content": text}] for text in ("ab", "cd"))
    tokenizer = Letters()
    found = ids(tokenizer, [first, first, second, first])
    assert found == [[97, 98], [97, 98], [99, 100], [97, 98]]
    assert tokenizer.rendered == 2
    found[0].append(0)
    assert found[1] == [97, 98], "each answer has its own prompt"


def test_the_first_one_without_room_is_named() -> None:
    short, long = ([{"role": "user", "content": text}] for text in ("ab", "abcdefg"))
    with pytest.raises(ConversationTooLong, match="conversation 1 has 7 tokens; with 4 for the answer"):
        ids(Letters(), [short, long, long])
