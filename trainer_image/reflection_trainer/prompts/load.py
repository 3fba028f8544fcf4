"""From a prompts file to checked questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.reasons import Reason
from reflection_api.templates import TemplateProblem, render

from ..errors import BadConfig, BadData
from ..verify.gold import gold_of
from ..verify.verifier import RowError
from .question import Question, question_id
from .rows import Row, read_rows, refuse
from .split import sampled_rows
from .turns import row_turns

if TYPE_CHECKING:
    from reflection_api.contract import TaskSettings
    from reflection_api.spec import PromptsSpec

    from ..conversation import Turn
    from ..verify.verifier import Verifier


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
        BadData: the file or a row is wrong; the message names field, file and line, column, value and remedy.
        BadConfig: the system template cannot be rendered with a row (reason InvalidTemplate).
    """
    field = "spec.task.prompts" if prompts is None else "spec.evaluation.prompts"
    name = f"{field}.uri: {path.name}"
    prompts = prompts or task.prompts
    rows = 0
    for row in read_rows(path, name):
        _checked(row, task, verifier)
        rows += 1
    if not rows:
        raise BadData(
            f"{name}: the file has no rows; give at least one question", reason=Reason.DATASET_EMPTY
        )
    chosen = sampled_rows(rows, prompts.limit, prompts.seed)
    return [
        _question(row, task, verifier)
        for index, row in enumerate(read_rows(path, name))
        if chosen is None or index in chosen
    ]


def _question(row: Row, task: TaskSettings, verifier: Verifier) -> Question:
    turns, columns = _checked(row, task, verifier)
    text = turns[-1]["content"]
    return Question(
        id=question_id(row.number, text),
        messages=_with_system(turns, columns, task, row.place),
        text=text,
        row=columns,
        place=row.place,
    )


def _checked(row: Row, task: TaskSettings, verifier: Verifier) -> tuple[list[Turn], dict[str, Any]]:
    """The turns of a row, and its other columns, which the verifier accepts."""
    turns, columns = row_turns(row, task.columns)
    try:
        verifier.check_row(columns)
        gold_of(verifier, columns)
    except RowError as error:
        refuse(row.place, error.problem, error.remedy)
    return turns, columns


def _with_system(turns: list[Turn], columns: dict[str, Any], task: TaskSettings, place: str) -> list[Turn]:
    """The turns after the system message of the template; a row that brings its own keeps it."""
    template = task.templates.system
    if template is None or turns[0]["role"] == "system":
        return turns
    variables = {"question": turns[-1]["content"], "row": columns}
    try:
        content = render(template, variables, field="spec.task.templates.system")
    except TemplateProblem as error:
        raise BadConfig(f"{error} (rendered for {place})", reason=Reason.INVALID_TEMPLATE) from error
    return [{"role": "system", "content": content}, *turns] if content.strip() else turns
