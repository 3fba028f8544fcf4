"""`reflect uploads`: what killed writers left in S3. The trainer does the work, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from .exit_codes import FAILED, INTERRUPTED
from .output import Format, Output
from .s3_options import Endpoint, PathStyle, Region, settings_option

_SCHEME = "s3://"


def _s3(uri: str) -> str:
    if not uri.startswith(_SCHEME) or uri == _SCHEME:
        raise typer.BadParameter(f"{uri} is no S3 storage; write s3://bucket/prefix")
    return uri


def uploads(
    uri: Annotated[
        str,
        typer.Argument(help="s3://bucket/prefix, for example spec.storage.uri.", metavar="URI", callback=_s3),
    ],
    abort: Annotated[
        bool,
        typer.Option(
            "--abort",
            help="End them and delete their parts. With --older-than, since a run that is active has some, too.",
        ),
    ] = False,
    older_than: Annotated[
        float, typer.Option(help="Only uploads that were begun so many hours ago.", min=0, metavar="HOURS")
    ] = 0.0,
    endpoint: Endpoint = None,
    region: Region = None,
    path_style: PathStyle = None,
    output: Output = Format.TEXT,
) -> None:
    """List uploads to S3 that were begun and not finished, or abort them.

    A writer that is killed in the middle of a large file leaves parts that no listing shows and that are paid for. The next
    attempt removes those of its own files; this command finds the rest. Credentials are those of your environment (AWS_*).
    """
    command = [sys.executable, "-m", "reflection_trainer.storage", uri, f"--older-than={older_than}"]
    command += settings_option(endpoint, region, path_style)
    command += ["--abort"] if abort else []
    command += ["--json"] if output is Format.JSON else []
    code = subprocess.run(command, check=False).returncode
    if code:
        raise typer.Exit(INTERRUPTED if code == INTERRUPTED else FAILED)
