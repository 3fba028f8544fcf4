"""`reflect status`: how far a run on a cluster is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .exit_codes import FAILED
from .on_cluster import Context, Kubeconfig, Namespace, RunName, on_cluster
from .output import Format, Output, print_json

if TYPE_CHECKING:
    from ..remote.cluster import Cluster
    from ..remote.seen import Seen

_EVENTS = 5


def status(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow it until it ends; exit code 1 if it fails.")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Show how far a run on a cluster is.

    Its stages, what it has made so far, what it waits for, and the last events. -o json prints the resource. The extra operator
    is needed: pip install 'reflect-operator[operator]'.
    """
    if watch and output is Format.JSON:
        raise typer.BadParameter(
            "it is for people; without it -o json prints one document", param_hint="--watch"
        )

    async def work(cluster: Cluster) -> None:
        if output is Format.JSON:
            print_json(_without_noise(await cluster.run(name)))
        elif watch:
            await _watch(cluster, name)
        else:
            await _show(cluster, name)

    on_cluster("status", work, namespace=namespace, context=context, kubeconfig=kubeconfig)


async def _show(cluster: Cluster, name: str) -> None:
    from ..remote.seen import seen

    await _overview(cluster, seen(await cluster.run(name)), _EVENTS)


async def _watch(cluster: Cluster, name: str) -> None:
    from rich.console import Console

    from ..remote.errors import RemoteError
    from ..remote.live import follow
    from ..remote.logs import Wanted, print_logs

    async def open_logs(run: Seen) -> None:
        try:
            await print_logs(
                cluster, run, Wanted(follow=True), lambda said: typer.echo(said.text), typer.echo
            )
        except RemoteError as error:
            typer.echo(str(error))

    console = Console()
    run = await follow(cluster, name, console, open_logs)
    if run is None:
        return
    if not console.is_terminal:
        await _overview(cluster, run, 0)
    if run.failed:
        raise typer.Exit(FAILED)


async def _overview(cluster: Cluster, run: Seen, events: int) -> None:
    from datetime import UTC, datetime

    from rich.console import Console

    from ..remote.printing import print_overview
    from ..remote.seen import seen_event

    found = [seen_event(event) for event in await cluster.events(run.metadata.uid)] if events else []
    print_overview(Console(), run, found[-events:] if events else (), datetime.now(UTC))


def _without_noise(resource: dict[str, Any]) -> dict[str, Any]:
    """Who wrote which field when is for the API server."""
    resource["metadata"].pop("managedFields", None)
    return resource
