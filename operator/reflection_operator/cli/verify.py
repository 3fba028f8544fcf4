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
        str | None, typer.Option(help="Name of a built-in verifier, for example countdown.", metavar="NAME")
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(help="Address of an own verifier, for example http://127.0.0.1:8080.", metavar="URL"),
    ] = None,
    options: Annotated[
        str, typer.Option(help='Options of the verifier, for example {"ignoreCase": true}.', metavar="JSON")
    ] = "{}",
) -> None:
    """Judge items with a verifier, built-in or your own, JSON lines in and out.

    An item on standard input is {"id", "messages", "completion", "row"}, a verdict on standard output
    {"id", "correct", "reason"}. An own verifier is sent the token in REFLECT_VERIFIER_TOKEN, and is trusted by the certificates
    in the file REFLECT_VERIFIER_CA, where your environment has these.
    """
    if (verifier is None) == (http is None):
        raise typer.BadParameter("give one of them", param_hint="--verifier, --http")
    which = f"--verifier={verifier}" if http is None else f"--http={http}"
    command = [sys.executable, "-m", "reflection_trainer.verify", which, f"--options={options}"]
    code = subprocess.run(command, check=False).returncode
    raise typer.Exit(_MEANINGS.get(code, FAILED))
