"""`reflect validate`: the API server's verdict without an API server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .exit_codes import FAILED
from .output import Format, Output, print_json

if TYPE_CHECKING:
    from reflection_api.validation import Checked

_STDIN = Path("-")


def _existing(files: list[Path]) -> list[Path]:
    """Typer's own check takes - for the name of a file."""
    for file in files:
        if file != _STDIN and not file.exists():
            raise typer.BadParameter(f"there is no file {file}")
        if file.is_dir():
            raise typer.BadParameter(f"{file} is a folder; name the files, such as {file / '*.yaml'}")
    return files


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(help="YAML files; - is standard input.", metavar="FILE", callback=_existing),
    ],
    local: Annotated[
        bool,
        typer.Option("--local", help="For `reflect run`: allow file:// and look at the files that it names."),
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Check files as the API server would, without one.

    The rules are those of the CustomResourceDefinition. Unknown fields are problems too: an API server drops them. Each
    problem is one line with file, line, field, value and remedy.
    """
    checked = [_check(file, local=local) for file in files]
    resources = sum(len(one.resources) for one in checked)
    problems = [problem for one in checked for problem in one.problems]
    notes = [note for one in checked for note in one.notes]
    valid = bool(resources) and not problems
    if output is Format.JSON:
        fields = [problem._asdict() for problem in problems]
        print_json({"valid": valid, "resources": resources, "problems": fields, "notes": notes})
    else:
        _print(checked, notes)
        if not (resources or problems):
            names = ", ".join("standard input" if file == _STDIN else str(file) for file in files)
            typer.echo(f"{names}: no ReflectionTraining found; give a file that holds one", err=True)
    if not valid:
        raise typer.Exit(FAILED)


def _check(file: Path, *, local: bool) -> Checked:
    from reflection_api.validation import Checked, Problem, check_text, read_source
    from reflection_api.validation.documents import MAX_BYTES

    name, folder = ("standard input", Path()) if file == _STDIN else (str(file), file.parent)
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if file == _STDIN else read_source(file)
    except OSError as error:
        return Checked([], [Problem(name, None, "", f"cannot be read: {error.strerror}")], [])
    return check_text(data, name, local=local, folder=folder)


def _print(checked: list[Checked], notes: list[str]) -> None:
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    for one in checked:
        for problem in one.problems:
            typer.echo(str(problem))
        for resource in one.resources:
            typer.echo(f"{resource.metadata.namespace}/{resource.metadata.name}: valid")
