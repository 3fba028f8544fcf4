"""`reflect verify-conformance`: an own verifier put to the test. The trainer does the work, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from reflection_api.stages import ExitCode

from ..local.installed import ExtraMissing, check_installed
from .exit_codes import FAILED, INTERRUPTED, WRONG_USE
from .output import Format, Output

_MEANINGS = {0: 0, ExitCode.BAD_CONFIG: WRONG_USE, INTERRUPTED: INTERRUPTED}
"""From the exit codes of a stage to those of a command; all others are failures."""


def verify_conformance(
    url: Annotated[
        str,
        typer.Argument(help="Address of the verifier, for example http://127.0.0.1:8080.", metavar="URL"),
    ],
    items: Annotated[
        Path,
        typer.Option(
            help="Items that it can judge, right and wrong ones, as JSON lines.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
        ),
    ],
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="The right verdicts on them, as `reflect verify` prints them.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Check that an own verifier does what a training relies on.

    Shapes, ids, order, the same verdict every time, large and many requests, hostile completions: for the tests of a
    verifier. Each check that fails says what was seen and what to do. Token and certificates are those of `reflect verify`.
    """
    try:
        check_installed("trainer", by="reflect verify-conformance")
    except ExtraMissing as missing:
        typer.echo(str(missing), err=True)
        raise typer.Exit(FAILED) from None
    command = [sys.executable, "-m", "reflection_trainer.verify.remote.conformance", f"--items={items}"]
    command += [f"--verdicts={verdicts}"] if verdicts else []
    command += ["--json"] if output is Format.JSON else []
    code = subprocess.run([*command, "--", url], check=False).returncode
    raise typer.Exit(_MEANINGS.get(code, FAILED))
