"""`reflect verify`: a verifier alone. The trainer does the work, in a process of its own; nothing of it is imported here."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer
from reflection_api.stages import ExitCode

from .exit_codes import FAILED, INTERRUPTED, WRONG_USE

_MEANINGS = {0: 0, ExitCode.BAD_CONFIG: WRONG_USE, INTERRUPTED: INTERRUPTED}
"""From the exit codes of a stage to those of a command; all others are failures."""


def verify(
    verifier: Annotated[
        str, typer.Option(help="Name of a built-in verifier, for example countdown.", metavar="NAME")
    ],
    options: Annotated[
        str, typer.Option(help='Options of the verifier, for example {"ignoreCase": true}.', metavar="JSON")
    ] = "{}",
) -> None:
    """Judge items with a built-in verifier, JSON lines in and out.

    An item on standard input is {"id", "messages", "completion", "row"}, a verdict on standard output
    {"id", "correct", "reason"}.
    """
    command = [
        sys.executable,
        "-m",
        "reflection_trainer.verify",
        f"--verifier={verifier}",
        f"--options={options}",
    ]
    code = subprocess.run(command, check=False).returncode
    raise typer.Exit(_MEANINGS.get(code, FAILED))
