"""`reflect run`: the whole loop on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .exit_codes import FAILED, INTERRUPTED, WRONG_USE
from .output import Format, Output, print_json


def run(
    file: Annotated[
        Path,
        typer.Argument(help="The ReflectionTraining to run.", metavar="FILE", exists=True, dir_okay=False),
    ],
    workdir: Annotated[
        Path | None,
        typer.Option(
            help="Folder that this run is remembered in, with its logs. Default: .reflect/NAMESPACE-NAME."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Set a field: spec.training.maxSteps=20. May be repeated.", metavar="PATH=VALUE"
        ),
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Run a ReflectionTraining on this machine: rollout, verify, train, evaluate, report.

    The same command carries on where it was stopped, by Ctrl-C or otherwise; finished shards and checkpoints are used again.
    It takes the file that a cluster takes; file:// URIs may be relative to it (file://./model).
    """
    from reflection_api.status import Phase
    from reflection_api.validation import BadSetting, InvalidResources

    from ..local.artefacts import ArtefactsGone, check_kept
    from ..local.display import Display
    from ..local.installed import ExtraMissing, check_installed
    from ..local.records import Records, WorkdirUnusable
    from ..local.resource import accept, default_workdir, load
    from ..local.runner import AlreadyRunning, LocalRun, locked
    from ..local.summary import print_summary, summary
    from ..settings import OperatorSettings

    console = Console(stderr=output is Format.JSON)
    try:
        resource = load(file, settings or [])
        check_installed("trainer", by="reflect run")
        # The stages work in folders of their own, where a relative path would lead elsewhere.
        records = Records((workdir or default_workdir(resource)).resolve())
        with locked(records):
            resource = accept(resource, records, file)
            done = resource.status is not None and resource.status.phase is Phase.SUCCEEDED
            with Display(console) as display:
                if done:
                    check_kept(resource, records.workdir)
                    display.line(f"{resource.metadata.name}: all is done already")
                resource = LocalRun(resource, records, display, OperatorSettings()).until_ended()
    except BadSetting as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from None
    except (
        InvalidResources,
        ExtraMissing,
        WorkdirUnusable,
        AlreadyRunning,
        ArtefactsGone,
    ) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command carries on.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if output is Format.JSON:
        print_json(summary(resource, records.logs))
    else:
        print_summary(console, resource, records.logs)
    if resource.status is None or resource.status.phase is not Phase.SUCCEEDED:
        raise typer.Exit(FAILED)
