"""Function calling: questions with tools, from the Berkeley leaderboard's data files or a file in xLAM's format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from reflection_api.reasons import Reason
from reflection_api.tasks import FunctionCallingSource
from reflection_api.verifiers import FunctionCallOptions

from ..errors import BadConfig
from ..prompts.rows import Row, read_rows, refuse
from ..verify.function_call import FunctionCall
from ..verify.verifier import RowError
from .row import TaskRow
from .skipped import Skipped

XLAM_COLUMNS = ("query", "tools", "answers")


def function_calling_rows(source: FunctionCallingSource, skipped: Skipped) -> Iterator[TaskRow]:
    """The usable rows of the parts, or of the file; those that nothing could answer are noted as skipped.

    Raises:
        BadConfig: the leaderboard's files are not there.
        BadData: a file is not what was expected.
    """
    if source.file is not None:
        return _of_xlam(Path(source.file), skipped)
    return _of_berkeley(_data_folder(source.folder), source.parts, skipped)


def _of_xlam(path: Path, skipped: Skipped) -> Iterator[TaskRow]:
    """Rows as in `Salesforce/xlam-function-calling-60k`: `query`, and `tools` and `answers` as JSON in strings."""
    verifier = FunctionCall()
    for row in read_rows(path):
        if missing := [name for name in XLAM_COLUMNS if name not in row.columns]:
            found = ", ".join(sorted(row.columns)) or "none"
            refuse(
                row.place,
                f'row has no "{missing[0]}"; columns found: {found}',
                f"rename the columns to {', '.join(XLAM_COLUMNS)}",
            )
        query = row.columns["query"]
        if not isinstance(query, str) or not query.strip():
            refuse(row.place, f'"query" is {query!r:.60}, not a question', "write it as text")
        columns = {"tools": row.columns["tools"], "answers": row.columns["answers"]}
        if _usable(verifier, columns, row.place, skipped):
            yield TaskRow(query.strip(), {"prompt": query, **columns})


def _of_berkeley(folder: Path, parts: tuple[str, ...], skipped: Skipped) -> Iterator[TaskRow]:
    verifier = FunctionCall(FunctionCallOptions(accept_any=True))
    for part in parts:
        name = f"BFCL_v4_{part}.json"
        answers = {
            row.columns.get("id"): _calls(row) for row in read_rows(_there(folder / "possible_answer" / name))
        }
        for row in read_rows(_there(folder / name)):
            messages = _messages(row)
            columns = {"tools": row.columns.get("function"), "answers": answers.get(row.columns.get("id"))}
            if _usable(verifier, columns, str(row.columns.get("id")), skipped):
                yield TaskRow(messages[-1]["content"].strip(), {"messages": messages, **columns})


def _usable(verifier: FunctionCall, columns: Mapping[str, Any], place: str, skipped: Skipped) -> bool:
    try:
        verifier.check_row(columns)
    except RowError as error:
        skipped.note(place, error.problem)
        return False
    return True


def _messages(row: Row) -> list[dict[str, str]]:
    """The one turn of a question: a list of turns, each a list of messages."""
    match row.columns.get("question"):
        case [[*_, {"role": "user", "content": str()}] as turn]:
            messages: list[dict[str, str]] = turn
            return messages
        case other:
            return refuse(
                row.place,
                f'"question" is {other!r:.60}, not one turn that ends with the user',
                "give files of the parts that have a single turn",
            )


def _calls(row: Row) -> list[dict[str, Any]]:
    """The accepted calls, each parameter with its alternatives: what the verifier takes with `acceptAny`."""
    match row.columns.get("ground_truth"):
        case list() as calls if all(isinstance(call, dict) for call in calls):
            return [
                {"name": name, "arguments": arguments} for call in calls for name, arguments in call.items()
            ]
        case other:
            return refuse(
                row.place,
                f'"ground_truth" is {other!r:.60}, not a list of calls',
                "give files of the parts that have a single turn",
            )


def _data_folder(given: str | None) -> Path:
    if given is not None:
        return Path(given)
    try:
        return Path(str(distribution("bfcl-eval").locate_file("bfcl_eval/data")))
    except PackageNotFoundError:
        # Without its dependencies: they are many, and only data files are read.
        raise BadConfig(
            "--bfcl: the package bfcl-eval, which holds the data, is not installed; run pip install --no-deps bfcl-eval, or "
            "give the folder with its files as --bfcl-data",
            reason=Reason.INVALID_SPEC,
        ) from None


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadConfig(
            f"--bfcl-data: there is no file {path}; give the folder bfcl_eval/data of the package bfcl-eval",
            reason=Reason.INVALID_SPEC,
        )
    return path
