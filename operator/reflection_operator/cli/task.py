"""`reflect task`: prompts files. The trainer does the work, in a process of its own; nothing of it is imported here."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from reflection_api.stages import ExitCode
from reflection_api.tasks import (
    BERKELEY_PARTS,
    DEFAULT_COUNT,
    OPERATORS,
    TaskRequest,
)  # fmt: skip

from ..local.installed import ExtraMissing, check_installed
from .exit_codes import FAILED, INTERRUPTED, WRONG_USE

_MEANINGS = {0: 0, ExitCode.BAD_CONFIG: WRONG_USE, INTERRUPTED: INTERRUPTED}
"""From the exit codes of a stage to those of a command; all others are failures."""
_OPTION_NAMES = {"held_out_share": "held-out-share", "parts": "bfcl", "file": "from"}
"""Of fields whose option is called otherwise."""

task = typer.Typer(
    name="task",
    help="Write the prompts of a task: puzzles, benchmark data, or rows of your own, split into two files.\n\n"
    "train.jsonl is for spec.task.prompts, heldout.jsonl for spec.evaluation.prompts. Equal questions are never in both, and "
    "the same command writes the same files. The extra trainer is needed: pip install 'reflect-operator[trainer]'.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Out = Annotated[str, typer.Option(help="The folder to write into.", metavar="DIR")]
_Made = Annotated[int, typer.Option(help="Different questions to make.", metavar="N")]
_Taken = Annotated[
    int | None,
    typer.Option(help="A random sample of so many rows. Default: all.", metavar="N", show_default=False),
]
_Share = Annotated[float, typer.Option(help="Share of the different questions that is held out.")]
_Seed = Annotated[
    int, typer.Option(help="Another one gives other puzzles, another sample and another split.")
]
_Force = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]


@task.command()
def countdown(
    out: _Out,
    file: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Take the puzzles from a file (.jsonl or .parquet) with the columns nums and target, as the published "
            "dataset has them, instead of making some; --count is then a sample of its rows.",
            metavar="FILE",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help=f"Different puzzles to make.  [default: {DEFAULT_COUNT}]", metavar="N")
    ] = None,
    fewest: Annotated[int, typer.Option(help="Numbers of a puzzle, at least (2 to 6).")] = 3,
    most: Annotated[int, typer.Option(help="Numbers of a puzzle, at most (2 to 6).")] = 4,
    largest: Annotated[int, typer.Option(help="The largest number.")] = 99,
    largest_target: Annotated[int, typer.Option(help="The largest target.")] = 999,
    operators: Annotated[
        str, typer.Option(help="Operators of the equations that the targets come from.")
    ] = OPERATORS,
    held_out_share: _Share = 0.1,
    seed: _Seed = 0,
    force: _Force = False,
) -> None:
    """Countdown: make an equation from some numbers, each used once, that equals a target.

    Each puzzle has a solution. More and larger numbers are harder; without * and / they are easier. For the verifier countdown.
    """
    source = {
        "kind": "countdown", "file": file, "fewest": fewest, "most": most, "largest": largest,
        "largest_target": largest_target, "operators": operators,
    }  # fmt: skip
    _write(source, out=out, count=count, held_out_share=held_out_share, seed=seed, force=force)


@task.command()
def function_calling(
    out: _Out,
    bfcl: Annotated[
        str | None,
        typer.Option(
            help=f"Parts of the Berkeley leaderboard, with commas between them: {', '.join(BERKELEY_PARTS)}. They are "
            "read from the package bfcl-eval (pip install --no-deps bfcl-eval). For the verifier function_call with "
            "acceptAny: true.",
            metavar="PARTS",
        ),
    ] = None,
    bfcl_data: Annotated[
        str | None, typer.Option(help="Folder with the leaderboard's files instead.", metavar="DIR")
    ] = None,
    xlam: Annotated[
        str | None,
        typer.Option(
            help="A file (.jsonl or .parquet) in the format of xLAM, with the columns query, tools and answers. For the "
            "verifier function_call.",
            metavar="FILE",
        ),
    ] = None,
    count: _Taken = None,
    held_out_share: _Share = 0.1,
    seed: _Seed = 0,
    force: _Force = False,
) -> None:
    """Function calling: questions with tools and the right calls, from Berkeley's leaderboard or a file like xLAM's.

    Rows that no answer could satisfy are left out and named.
    """
    if (bfcl is None) == (xlam is None):
        raise typer.BadParameter("give one of them", param_hint="--bfcl, --xlam")
    parts = [part.strip() for part in (bfcl or "").split(",") if part.strip()]
    if bfcl is not None and not parts:
        raise typer.BadParameter(f"name parts of {', '.join(BERKELEY_PARTS)}", param_hint="--bfcl")
    source = {"kind": "function-calling", "parts": parts, "folder": bfcl_data, "file": xlam}
    _write(source, out=out, count=count, held_out_share=held_out_share, seed=seed, force=force)


@task.command()
def reasoning_gym(
    dataset: Annotated[
        str, typer.Argument(help="Name of a dataset, for example leg_counting.", metavar="DATASET")
    ],
    out: _Out,
    config: Annotated[
        str, typer.Option(help='Its configuration, for example {"max_animals": 5}.', metavar="JSON")
    ] = "{}",
    count: _Made = DEFAULT_COUNT,
    held_out_share: _Share = 0.1,
    seed: _Seed = 0,
    force: _Force = False,
) -> None:
    """Puzzles of a dataset of reasoning-gym, for the verifier reasoning_gym."""
    source = {"kind": "reasoning-gym", "dataset": dataset, "config": config}
    _write(source, out=out, count=count, held_out_share=held_out_share, seed=seed, force=force)


@task.command()
def rows(
    file: Annotated[str, typer.Argument(help="A file of rows, .jsonl or .parquet.", metavar="FILE")],
    out: _Out,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Which column has the question, where it is neither prompt nor messages: prompt=question.",
            metavar="NAME=COLUMN",
        ),
    ] = None,
    count: _Taken = None,
    held_out_share: _Share = 0.1,
    seed: _Seed = 0,
    force: _Force = False,
) -> None:
    """Rows of your own, as they are, split so that equal questions stay together."""
    pairs = [word.partition("=") for word in column or []]
    if bad := [name for name, sign, value in pairs if not (name and sign and value)]:
        raise typer.BadParameter(f'"{bad[0]}": write for example prompt=question', param_hint="--column")
    columns = {name: value for name, _, value in pairs}
    source = {"kind": "rows", "file": file, "columns": columns}
    _write(source, out=out, count=count, held_out_share=held_out_share, seed=seed, force=force)


def _write(source: dict[str, Any], **how: Any) -> None:
    """Check the options, and have the trainer write the files."""
    try:
        request = TaskRequest.model_validate(how | {"source": source})
    except ValidationError as error:
        found = error.errors()[0]
        field = next((str(part) for part in reversed(found["loc"]) if isinstance(part, str)), "")
        hint = "--" + _OPTION_NAMES.get(field, field.replace("_", "-"))
        raise typer.BadParameter(found["msg"].removeprefix("Value error, "), param_hint=hint) from None
    try:
        check_installed("trainer", by="reflect task")
    except ExtraMissing as missing:
        typer.echo(str(missing), err=True)
        raise typer.Exit(FAILED) from None
    command = [sys.executable, "-m", "reflection_trainer.tasks", request.to_json()]
    # Some of reasoning-gym's generators go through sets of strings: with other hashes they make other questions.
    code = subprocess.run(command, check=False, env=os.environ | {"PYTHONHASHSEED": "0"}).returncode
    raise typer.Exit(_MEANINGS.get(code, FAILED))
