"""What must hold before an engine is started: cheap to find out now, expensive afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reflection_api.reasons import Reason
from reflection_api.templates import TemplateProblem

from ..conversation import Conversation, Turn
from ..engines.chat import prompt_ids
from ..errors import BadConfig, BadData

if TYPE_CHECKING:
    from reflection_api.contract import TemplatesSettings

    from ..engines.model import ModelFolder
    from ..prompts.question import Question

_STAND_IN = "..."
"""For texts that the model has still to write."""


def check_templates(questions: Sequence[Question], templates: TemplatesSettings) -> None:
    """Render the request to reflect and the question put again for every question.

    Raises:
        BadConfig: a template cannot be rendered (reason InvalidTemplate).
    """
    conversation = Conversation(templates)
    for question in questions:
        try:
            prompt = conversation.reflection_prompt(question.messages, _STAND_IN, question.row)
            conversation.retry_prompt(prompt, _STAND_IN, question.row)
        except TemplateProblem as error:
            raise unrenderable(error, question) from error


def unrenderable(error: TemplateProblem, question: Question) -> BadConfig:
    """What a template that fails on a question's row is."""
    return BadConfig(f"{error} (rendered for {question.place})", reason=Reason.INVALID_TEMPLATE)


def longest_conversation(questions: Sequence[Question], model: ModelFolder, max_tokens: int) -> int:
    """Most tokens of a question with its answer.

    Raises:
        BadData: a question leaves no room for the answer in the model's context (reason InvalidPrompts).
        BadConfig: the model's chat template refuses a conversation (reason InvalidModel).
    """
    longest = 0
    for question in questions:
        tokens = tokens_of(question.messages, model, question) + max_tokens
        if tokens > model.context_length:
            raise BadData(
                f"{question.place}: the question has {tokens - max_tokens} tokens; with spec.rollout.sampling.maxTokens: "
                f"{max_tokens} for the answer it does not fit into the model's context of {model.context_length}; "
                "shorten or drop the row, or lower maxTokens",
                reason=Reason.INVALID_PROMPTS,
            )
        longest = max(longest, tokens)
    return longest


def tokens_of(turns: Sequence[Turn], model: ModelFolder, question: Question) -> int:
    """Tokens of a conversation about a question.

    Raises:
        BadConfig: the model's chat template refuses it (reason InvalidModel).
    """
    from jinja2.exceptions import TemplateError

    try:
        return len(prompt_ids(model.tokenizer, turns))
    except TemplateError as error:
        raise BadConfig(
            f"{question.place}: the model's chat template refuses the conversation: {error}; "
            "change the roles of the messages, leave out the system template, or use another model",
            reason=Reason.INVALID_MODEL,
        ) from error
