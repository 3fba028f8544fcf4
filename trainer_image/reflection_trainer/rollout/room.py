"""Whether evaluation's conversations have room in a model's context, found out before a model is loaded.

The rollout stage asks first, so that nothing is sampled and trained that cannot be compared in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reflection_api.reasons import Reason
from reflection_api.templates import TemplateProblem

from ..conversation import REREAD, Conversation
from ..errors import BadConfig
from .checks import longest_conversation, tokens_of, unrenderable

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..engines.model import ModelFolder
    from ..prompts.question import Question


def room_needed(questions: Sequence[Question], model: ModelFolder, config: StageConfig) -> int:
    """Tokens of the longest conversation that can come up, at most the model's context.

    A failed answer can make a conversation too long where another one would not. Such a second try counts as wrong, see
    `transcripts.TOO_LONG`; what is refused here is what leaves no second try at all.

    Raises:
        BadData: a question leaves no room for its answer (reason InvalidPrompts).
        BadConfig: no question leaves room for a reflection and a retry, however short the failed answer is; a template cannot
            be rendered, or the model's chat template refuses a conversation.
    """
    first = config.rollout.sampling.max_tokens
    training = config.training
    answers = longest_conversation(questions, model, first)
    lengths = [_empty_lengths(question, model, config) for question in questions]
    shortest = min(
        max(request + training.reflection_max_tokens, retry + training.retry_max_tokens)
        for request, retry in lengths
    )
    if shortest > model.context_length:
        raise BadConfig(
            f"spec.training.reflectionMaxTokens: {training.reflection_max_tokens} and retryMaxTokens: "
            f"{training.retry_max_tokens}: even the shortest conversation takes {shortest} tokens with them, and the model's "
            f"context has {model.context_length}; lower them",
            reason=Reason.INVALID_SPEC,
        )
    written = int(REREAD * (first + training.reflection_max_tokens)) + training.retry_max_tokens
    return min(model.context_length, max(answers, max(retry for _, retry in lengths) + written))


def _empty_lengths(question: Question, model: ModelFolder, config: StageConfig) -> tuple[int, int]:
    """Tokens up to the reflection and up to the retry, where the model has written nothing before."""
    conversation = Conversation(config.task.templates)
    try:
        request = conversation.reflection_prompt(question.messages, "", question.row)
        retry = conversation.retry_prompt(request, "", question.row)
    except TemplateProblem as error:
        raise unrenderable(error, question) from error
    return tokens_of(request, model, question), tokens_of(retry, model, question)
