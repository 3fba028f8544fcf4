"""What can be checked of templates and prompts file on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..resource import ReflectionTraining
from ..spec import PromptsSpec, TaskSpec
from ..templates import VARIABLES, TemplateProblem, check_template, render, resolve_templates
from .local import local_path
from .problem import Finding

_MAX_LINE = 16 << 20
_TASK = ("spec", "task")
_WRITTEN_BY_THE_MODEL = "..."


def template_findings(value: dict[str, Any]) -> Iterator[Finding]:
    """Templates that cannot be rendered with any row. The resource may be wrong in other places."""
    texts: Any = value
    for name in (*_TASK, "templates"):
        texts = texts.get(name) if isinstance(texts, dict) else None
    for name in VARIABLES:
        text = texts.get(name) if isinstance(texts, dict) else None
        if isinstance(text, str):
            try:
                check_template(name, text)
            except TemplateProblem as problem:
                yield _finding(name, problem)


def prompts_findings(resource: ReflectionTraining) -> Iterator[Finding]:
    """Prompts files that are not there, and templates that do not fit the first row of the task's."""
    task, held_out = resource.spec.task, resource.spec.evaluation.prompts
    yield from _missing(task.prompts, (*_TASK, "prompts", "uri"))
    if held_out is not None:
        yield from _missing(held_out, ("spec", "evaluation", "prompts", "uri"))
    row = _first_row(task.prompts)
    if row is not None:
        yield from _misfits(task, _variables(row, task.columns))


def _misfits(task: TaskSpec, variables: dict[str, Any]) -> Iterator[Finding]:
    texts = resolve_templates(task.templates, task.verifier.name)
    for name, known in VARIABLES.items():
        text = getattr(texts, name)
        try:
            if text is not None:
                render(text, {variable: variables[variable] for variable in known}, field=name)
        except TemplateProblem as problem:
            yield _finding(name, problem)


def _finding(name: str, problem: TemplateProblem) -> Finding:
    return Finding((*_TASK, "templates", name), f"{problem.message}; {problem.remedy}")


def _variables(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """What the templates see of a row, its columns by their expected names."""
    kept = {name: value for name, value in row.items() if name not in names.values()}
    columns = kept | {expected: row[name] for expected, name in names.items() if name in row}
    question = columns.pop("prompt", "")
    messages = columns.pop("messages", None)
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        question = messages[-1].get("content", question)
    return {
        "question": question,
        "row": columns,
        "answer": _WRITTEN_BY_THE_MODEL,
        "reflection": _WRITTEN_BY_THE_MODEL,
    }


def _missing(prompts: PromptsSpec, path: tuple[str, ...]) -> Iterator[Finding]:
    file = local_path(prompts.uri)
    if file is not None and not file.is_file():
        yield Finding(path, f"there is no file {file}; correct the path")


def _first_row(prompts: PromptsSpec) -> dict[str, Any] | None:
    """The first row of a local JSON lines file, if it is one: a malformed file is the rollout's to explain."""
    file = local_path(prompts.uri)
    if file is None or file.suffix != ".jsonl":
        return None
    try:
        with file.open("rb") as lines:
            row = json.loads(lines.readline(_MAX_LINE))
    except (OSError, ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
