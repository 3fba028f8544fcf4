"""The conversation of the method, in one place: rollout, training and evaluation must put the same words to the model.

[system] -> question -> FAILED ANSWER -> reflection request -> REFLECTION -> question again -> RETRY
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reflection_api.contract import TemplatesSettings
from reflection_api.templates import render

Turn = dict[str, str]
"""`{"role": ..., "content": ...}`, as chat templates take it."""
REREAD = 1.25
"""A text may take more tokens when it is read again than it took when it was written: so many times as many."""


class Conversation:
    """Builds the messages of each step from the task's templates."""

    def __init__(self, templates: TemplatesSettings) -> None:
        self._templates = templates

    def reflection_prompt(self, messages: Sequence[Turn], answer: str, row: Mapping[str, Any]) -> list[Turn]:
        """The conversation up to the request to reflect.

        Args:
            messages: the conversation that led to the answer.
            answer: the failed answer.
            row: the prompt row's own columns.

        Raises:
            TemplateProblem: the template cannot be rendered with these values.
        """
        values = {"question": _question(messages), "answer": answer, "row": row}
        request = render(self._templates.reflection, values, field="spec.task.templates.reflection")
        return [*messages, _turn("assistant", answer), _turn("user", request)]

    def plain_retry_prompt(self, messages: Sequence[Turn], answer: str, row: Mapping[str, Any]) -> list[Turn]:
        """The conversation up to the question put again at once, for the control without a reflection."""
        values = {"question": _question(messages), "answer": answer, "reflection": "", "row": row}
        again = render(self._templates.retry, values, field="spec.task.templates.retry")
        return [*messages, _turn("assistant", answer), _turn("user", again)]

    def retry_prompt(
        self, reflection_prompt: Sequence[Turn], reflection: str, row: Mapping[str, Any]
    ) -> list[Turn]:
        """The conversation up to the question put again; everything before stays in context."""
        values = {
            "question": _question(reflection_prompt[:-2]),
            "answer": reflection_prompt[-2]["content"],
            "reflection": reflection,
            "row": row,
        }
        again = render(self._templates.retry, values, field="spec.task.templates.retry")
        return [*reflection_prompt, _turn("assistant", reflection), _turn("user", again)]


def _question(messages: Sequence[Turn]) -> str:
    """The last thing the user said."""
    return next((turn["content"] for turn in reversed(messages) if turn["role"] == "user"), "")


def _turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}
