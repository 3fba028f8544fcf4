"""From a prompts file to checked questions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from reflection_api.reasons import Reason

from ..errors import BadData
from ..verify.verifier import RowError
from .question import Question, question_id
from .rows import Row, read_rows
from .split import sampled_rows

if TYPE_CHECKING:
    from reflection_api.contract import TaskSettings
    from reflection_api.spec import PromptsSpec

    from ..verify.verifier import Verifier

logger = logging.getLogger(__name__)

MESSAGES, PROMPT = "messages", "prompt"
_ROLES = ("system", "user", "assistant")


def load_questions(
    path: Path, task: TaskSettings, verifier: Verifier, prompts: PromptsSpec | None = None
) -> list[Question]:
    """The questions of a file, in its order.

    Every row is checked, those beyond the limit too: a bad row is found whatever the sample. Only the sample is kept in memory.

    Args:
        path: a JSON lines or Parquet file.
        task: columns, templates, and the limit and seed of its prompts.
        verifier: says whether it can judge answers to a row.
        prompts: limit and seed of another file than the task's, such as the one for evaluation.

    Raises:
        BadData: the file or a row is wrong; the message names file and line, column, value and remedy.
    """
    prompts = prompts or task.prompts
    rows = sum(1 for _ in _checked(path, task, verifier))
    if not rows:
        raise BadData(f"{path.name}: holds no rows; give at least one question", reason=Reason.DATASET_EMPTY)
    chosen = sampled_rows(rows, prompts.limit, prompts.seed)
    questions = [
        question
        for index, question in enumerate(_checked(path, task, verifier))
        if chosen is None or index in chosen
    ]
    if prompts.limit and prompts.limit > rows:
        logger.info("%s: the limit is %d, the file has %d rows: all are used", path.name, prompts.limit, rows)
    return questions


def _checked(path: Path, task: TaskSettings, verifier: Verifier) -> Iterator[Question]:
    for row in read_rows(path):
        yield _question(row, task, verifier)


def _question(row: Row, task: TaskSettings, verifier: Verifier) -> Question:
    columns = _renamed(row, task.columns)
    turns = _turns(row, columns)
    columns.pop(MESSAGES if MESSAGES in columns else PROMPT)
    try:
        verifier.check_row(columns)
    except RowError as error:
        _refuse(row, error.problem, error.remedy)
    return Question(
        id=question_id(row.number, turns[-1]["content"]),
        messages=turns,
        text=turns[-1]["content"],
        row=columns,
    )


def _renamed(row: Row, names: dict[str, str]) -> dict[str, Any]:
    """The columns by their expected names."""
    columns = dict(row.columns)
    for expected, name in names.items():
        if name not in row.columns:
            problem = f'row has no "{name}", which spec.task.columns.{expected} names; {_found(row)}'
            _refuse(row, problem, "correct spec.task.columns")
    for name in names.values():
        columns.pop(name, None)
    return columns | {expected: row.columns[name] for expected, name in names.items()}


def _turns(row: Row, columns: dict[str, Any]) -> list[dict[str, str]]:
    if MESSAGES in columns:
        return _check_messages(row, columns[MESSAGES])
    if PROMPT not in columns:
        _refuse(
            row,
            f'row has neither "{PROMPT}" nor "{MESSAGES}"; {_found(row)}',
            "rename a column or set spec.task.columns",
        )
    prompt = columns[PROMPT]
    if not isinstance(prompt, str):
        _refuse(row, f'"{PROMPT}" is {prompt!r:.60}, not a string', "write the question as text")
    if not prompt.strip():
        _refuse(row, f'"{PROMPT}" is empty', "write the question or drop the row")
    return [{"role": "user", "content": prompt}]


def _check_messages(row: Row, messages: Any) -> list[dict[str, str]]:
    remedy = 'write a list such as [{"role": "user", "content": "..."}]'
    if not isinstance(messages, list) or not messages:
        _refuse(row, f'"{MESSAGES}" is {messages!r:.60}, not a list of messages', remedy)
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            _refuse(
                row,
                f'"{MESSAGES}": message {number} is {message!r:.60}, which has no text in "content"',
                remedy,
            )
        if message.get("role") not in _ROLES:
            problem = f'"{MESSAGES}": message {number} has the role {message.get("role")!r:.40}'
            _refuse(row, problem, f"use one of {', '.join(_ROLES)}")
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        _refuse(row, f'"{MESSAGES}" does not end with a question of the user', remedy)
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _found(row: Row) -> str:
    return f"columns found: {', '.join(sorted(row.columns)) or 'none'}"


def _refuse(row: Row, problem: str, remedy: str) -> NoReturn:
    raise BadData(f"{row.place}: {problem}; {remedy}", reason=Reason.INVALID_PROMPTS)
