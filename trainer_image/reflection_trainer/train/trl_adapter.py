"""Our two steps as TRL's `rollout_func` and reward function.

What we use of TRL's insides stands here, in trainer.py and in colocated.py; grpo.py imports it, config.py knows the names of
its settings and metrics.py those of its log. Contract tests watch all of it.

What the step learns from is sampled and judged before TRL asks for it; `rollout_func` hands it over row by row. The completion
of a row is the reflection alone, so TRL's own completion mask is the reflection mask: the retry cannot reach the loss. With the
credit scope `reflectionAndRetry` each retry is a row of its own, in its own conversation, with its reflection's reward.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig

from ..conversation import Turn
from .reflect_retry import Sample

if TYPE_CHECKING:
    from .trainer import ReflectionTrainer

PLACEHOLDER: list[Turn] = [{"role": "user", "content": ""}]
"""Stands for the prompt of a row where TRL would only log it: what was sampled has its token ids with it."""


def _says_more(record: logging.LogRecord) -> bool:
    """Rows that are left out on purpose have no reward, of which TRL warns at every step, with what the model wrote."""
    return "All reward functions returned None" not in record.getMessage()


logging.getLogger("trl.trainer.grpo_trainer").addFilter(_says_more)


def hand_over(prompts: list[list[Turn]], trainer: ReflectionTrainer) -> dict[str, Any]:
    """`rollout_func`: the rows that the trainer has just sampled."""
    rows = trainer.rows
    if len(rows) != len(prompts):
        raise RuntimeError(f"{len(prompts)} prompts for {len(rows)} rows: TRL changed its batches")
    logprobs = [row.sample.logprobs for row in rows]
    return {
        "prompt_ids": [row.sample.prompt_ids for row in rows],
        "completion_ids": [row.sample.token_ids for row in rows],
        "logprobs": None if None in logprobs else logprobs,
        "earned": [row.reward for row in rows],
    }


def retry_success(*, earned: Sequence[float], **_: Any) -> list[float]:
    """TRL's reward function: one value per row, from the extra field of the rollout."""
    return list(earned)


class TrlGenerator:
    """Generates with the trainer's current weights, through whichever backend TRL was configured with."""

    def __init__(self, trainer: ReflectionTrainer) -> None:
        self._trainer = trainer

    def generate(self, conversations: Sequence[list[Turn]], max_new_tokens: int) -> list[Sample]:
        """Continue each conversation by at most `max_new_tokens` tokens."""
        trainer: Any = self._trainer
        prompt_ids, images, multimodal = _tokenized(trainer, conversations)
        # The last argument lets a vLLM server sample equal prompts together; our rows are told apart by nobody else.
        with _at_most(trainer, max_new_tokens):
            token_ids, logprobs = trainer._generate_single_turn(  # noqa: SLF001
                prompt_ids, images, multimodal, 1
            )
        ends = set(trainer.eos_token_ids)
        end = trainer.processing_class.eos_token_id
        # Nothing is written where the model's context has no room. TRL looks at the last token of every row, so an empty one
        # would crash it, and has all of them pass through the model, which a prompt without room would not fit.
        whole = [ids or [end] for ids in token_ids]
        texts = trainer.processing_class.batch_decode(whole, skip_special_tokens=True)
        told = [None] * len(whole) if logprobs is None else [row or [math.nan] for row in logprobs]
        return [
            Sample(prompt if own else ids, ids, text, ids[-1] in ends, logprob, sampled=bool(own))
            for prompt, ids, text, logprob, own in zip(prompt_ids, whole, texts, told, token_ids, strict=True)
        ]


def _tokenized(
    trainer: Any, conversations: Sequence[list[Turn]]
) -> tuple[list[list[int]], Any, dict[str, Any]]:
    """What TRL makes of each conversation before it generates; a group's equal ones are rendered once."""
    keys = [tuple((turn["role"], turn["content"]) for turn in turns) for turns in conversations]
    distinct = dict(zip(keys, conversations, strict=True))
    places = {key: place for place, key in enumerate(distinct)}
    ids, images, fields = trainer._tokenize_prompts(list(distinct.values()))  # noqa: SLF001
    rows = [places[key] for key in keys]
    # Text alone has no images; the other fields have a value for each prompt.
    return (
        [list(ids[row]) for row in rows],
        images,
        {name: [each[row] for row in rows] for name, each in fields.items()},
    )


@contextlib.contextmanager
def _at_most(trainer: Any, max_new_tokens: int) -> Iterator[None]:
    """Swap the trainer's token limit: `_generate_single_turn` takes no sampling arguments."""
    config, settings = trainer.generation_config, trainer.generation_kwargs
    trainer.generation_kwargs = settings | {"max_new_tokens": max_new_tokens}
    trainer.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        **trainer.generation_kwargs, disable_compile=True
    )
    try:
        yield
    finally:
        trainer.generation_config, trainer.generation_kwargs = config, settings
