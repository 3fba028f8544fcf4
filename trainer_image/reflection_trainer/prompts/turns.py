"""The conversation that stands in a row: a `prompt`, or `messages` in the shape of chat data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .rows import Row, refuse

if TYPE_CHECKING:
    from ..conversation import Turn

MESSAGES, PROMPT = "messages", "prompt"
_ROLES = ("system", "user", "assistant")


def row_turns(row: Row, names: Mapping[str, str]) -> tuple[list[Turn], dict[str, Any]]:
    """The turns of a row, the last one a question of the user, and the row's other columns by their expected names.

    `messages` goes before `prompt` where a row has both.

    Raises:
        BadData: a column is missing or holds something else; the message names place, column and value.
    """
    columns = _renamed(row, names)
    if MESSAGES in columns:
        return _check_messages(columns.pop(MESSAGES), row.place), columns
    if PROMPT in columns:
        return [{"role": "user", "content": _check_prompt(columns.pop(PROMPT), row.place)}], columns
    return refuse(
        row.place,
        f'row has neither "{PROMPT}" nor "{MESSAGES}"; {_found(row)}',
        "rename a column or map it in spec.task.columns",
    )


def _renamed(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    for expected, name in names.items():
        if name not in row.columns:
            problem = f'row has no "{name}", which spec.task.columns.{expected} names; {_found(row)}'
            refuse(row.place, problem, "correct spec.task.columns")
    kept = {name: value for name, value in row.columns.items() if name not in names.values()}
    return kept | {expected: row.columns[name] for expected, name in names.items()}


def _check_prompt(prompt: Any, place: str) -> str:
    if not isinstance(prompt, str):
        refuse(place, f'"{PROMPT}" is {_shown(prompt)}, not a string', "write the question as text")
    if not prompt.strip():
        refuse(place, f'"{PROMPT}" is empty', "write the question or drop the row")
    return prompt


def _check_messages(messages: Any, place: str) -> list[Turn]:
    remedy = 'write a list such as [{"role": "user", "content": "..."}]'
    if not isinstance(messages, list) or not messages:
        refuse(place, f'"{MESSAGES}" is {_shown(messages)}, not a list of messages', remedy)
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            refuse(
                place,
                f'"{MESSAGES}": message {number} is {_shown(message)}, without text in "content"',
                remedy,
            )
        if message.get("role") not in _ROLES:
            problem = f'"{MESSAGES}": message {number} has the role {_shown(message.get("role"))}'
            refuse(place, problem, f"use one of {', '.join(_ROLES)}")
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        refuse(place, f'"{MESSAGES}" does not end with a question of the user', remedy)
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _found(row: Row) -> str:
    return f"columns found: {', '.join(sorted(row.columns)) or 'none'}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
