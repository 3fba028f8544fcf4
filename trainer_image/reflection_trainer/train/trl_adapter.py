"""Our two steps as TRL's `rollout_func` and reward function.

All that we use of TRL's insides stands here and in trainer.py, and a contract test watches it.

`rollout_func` returns the reflection alone as the completion, so TRL's own completion mask is the reflection mask: the retry
cannot reach the loss. The retry's text goes to the reward function as an extra field.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig

from ..conversation import Turn
from .reflect_retry import Failure, Generation, ReflectRetry
from .reward import RetryReward

if TYPE_CHECKING:
    from .trainer import ReflectionTrainer


class TrlGenerator:
    """Generates with the trainer's current weights, through whichever backend TRL was configured with."""

    def __init__(self, trainer: ReflectionTrainer) -> None:
        self._trainer = trainer

    def generate(self, conversations: Sequence[list[Turn]], max_new_tokens: int) -> Generation:
        """Continue each conversation by at most `max_new_tokens` tokens."""
        trainer: Any = self._trainer
        prompt_ids, images, multimodal = trainer._tokenize_prompts(list(conversations))  # noqa: SLF001
        # The last argument lets a vLLM server sample equal prompts together; our rows are told apart by nobody else.
        with _at_most(trainer, max_new_tokens):
            token_ids, logprobs = trainer._generate_single_turn(  # noqa: SLF001
                prompt_ids, images, multimodal, 1
            )
        ends = set(trainer.eos_token_ids)
        end = trainer.processing_class.eos_token_id
        # TRL looks at the last token of every row, so an empty row would crash it: a model that says nothing has ended.
        whole = [ids or [end] for ids in token_ids]
        return Generation(
            prompt_ids=prompt_ids,
            token_ids=whole,
            texts=trainer.processing_class.batch_decode(whole, skip_special_tokens=True),
            finished=[ids[-1] in ends for ids in whole],
            logprobs=None if logprobs is None else [row or [0.0] for row in logprobs],
        )


class Rollout:
    """`rollout_func`: reflects and retries for the rows that the trainer has just drawn."""

    def __init__(self, steps: ReflectRetry) -> None:
        self._steps = steps

    def __call__(self, prompts: list[list[Turn]], trainer: ReflectionTrainer) -> dict[str, Any]:
        """One reflection per row: TRL has repeated each prompt `num_generations` times already."""
        failures = trainer.current_failures
        if len(failures) != len(prompts):
            raise RuntimeError(
                f"{len(prompts)} prompts for {len(failures)} failures: TRL changed its batches"
            )
        steps = self._steps.run(failures, TrlGenerator(trainer))
        return {
            "prompt_ids": steps.reflections.prompt_ids,
            "completion_ids": steps.reflections.token_ids,
            "logprobs": steps.reflections.logprobs,
            "reflection": steps.reflections.texts,
            "reflection_finished": steps.reflections.finished,
            "retry": steps.retries.texts,
        }


class RewardFunction:
    """TRL's reward function: one value per row, from the extra fields of the rollout."""

    __name__ = "retry_success"

    def __init__(self, reward: RetryReward) -> None:
        self._reward = reward

    def __call__(
        self,
        *,
        failure: Sequence[Failure],
        reflection: Sequence[str],
        reflection_finished: Sequence[bool],
        retry: Sequence[str],
        **_: Any,
    ) -> list[float]:
        """The rewards of the rows."""
        return self._reward.score(failure, reflection, reflection_finished, retry)


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
