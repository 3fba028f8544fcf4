"""`reflect report`: the report of a run. The trainer does the work, in a process of its own; nothing of it is imported here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from reflection_api.stages import ExitCode

from ..local.installed import ExtraMissing, check_installed
from .exit_codes import FAILED, INTERRUPTED, WRONG_USE
from .s3_options import Endpoint, PathStyle, Region, settings_option

_MEANINGS = {0: 0, ExitCode.BAD_CONFIG: WRONG_USE, INTERRUPTED: INTERRUPTED}
"""From the exit codes of a stage to those of a command; all others are failures."""


def report(
    place: Annotated[
        str,
        typer.Argument(
            help="Folder or URI of a run, or a folder with one run below it, such as a --workdir with its storage.",
            metavar="DIR-or-URI",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The HTML file to write; beside it, as .json and .md, go the numbers.",
            metavar="FILE",
        ),
    ] = Path("report.html"),
    endpoint: Endpoint = None,
    region: Region = None,
    path_style: PathStyle = None,
) -> None:
    """Write the report of a run as one HTML file, and its numbers beside it.

    The page loads nothing from anywhere, and is made from what the run has left so far, finished or not. The extra trainer is
    needed: pip install 'reflect-operator[trainer]'.

    A run in S3 is named by the URI of its folder. It is read with the credentials of your environment (AWS_*); for an endpoint
    whose certificate no public authority has signed, AWS_CA_BUNDLE names the file of those that have.
    """
    settings = settings_option(endpoint, region, path_style)
    if settings and not place.startswith("s3://"):
        raise typer.BadParameter(
            f"{place} is not in S3: leave --endpoint, --region and the style of paths out"
        )
    try:
        check_installed("trainer", by="reflect report")
    except ExtraMissing as missing:
        typer.echo(str(missing), err=True)
        raise typer.Exit(FAILED) from None
    command = [
        sys.executable,
        "-m",
        "reflection_trainer.report",
        f"--output={output}",
        *settings,
        "--",
        place,
    ]
    code = subprocess.run(command, check=False).returncode
    raise typer.Exit(_MEANINGS.get(code, FAILED))
