"""`reflect events`: what has happened to a run on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .on_cluster import Context, Kubeconfig, Namespace, RunName, on_cluster
from .output import Format, Output, print_json

if TYPE_CHECKING:
    from ..remote.cluster import Cluster


def events(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until the run ends.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """List what has happened to a run on a cluster, oldest first.

    A cluster keeps events for an hour, unless it is told otherwise.
    """
    if watch and output is Format.JSON:
        raise typer.BadParameter(
            "it is for people; without it -o json prints one document", param_hint="--watch"
        )

    async def work(cluster: Cluster) -> None:
        from rich.console import Console

        from ..remote.printing import print_event
        from ..remote.seen import seen, seen_event
        from ..remote.watching import watch_events

        if watch:
            await watch_events(cluster, name, Console())
            return
        run = seen(await cluster.run(name))
        found = [seen_event(event) for event in await cluster.events(run.metadata.uid)]
        if output is Format.JSON:
            print_json(
                [event._asdict() | {"at": event.at.isoformat() if event.at else None} for event in found]
            )
            return
        for event in found:
            print_event(Console(), event)
        if not found:
            typer.echo(f"there are no events about {name}; {run.why}", err=True)

    on_cluster("events", work, namespace=namespace, context=context, kubeconfig=kubeconfig)
