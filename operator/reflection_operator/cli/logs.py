"""`reflect logs`: what the pods of a run on a cluster print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from reflection_api.stages import Stage

from .on_cluster import Context, Kubeconfig, Namespace, RunName, on_cluster
from .output import Format, Output

if TYPE_CHECKING:
    from ..remote.cluster import Cluster


def logs(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    stage: Annotated[
        Stage | None, typer.Option(help="Of the newest attempt at this stage. Default: at the newest stage.")
    ] = None,
    index: Annotated[
        int | None, typer.Option(help="Only this pod: the number of its shard or node.", min=0)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the pods end; wait for them to start.")
    ] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines of each pod.", min=0)] = None,
    output: Output = Format.TEXT,
) -> None:
    """Print the logs of a run's pods on a cluster.

    With several pods each line begins with the pod's number; with -o json each is an object of its own. Logs go with their
    pods: those of earlier attempts are there as long as the cluster keeps the pods.
    """

    async def work(cluster: Cluster) -> None:
        from ..remote.logs import LogLine, Wanted, print_logs
        from ..remote.seen import seen

        run = seen(await cluster.run(name))
        wanted = Wanted(stage, index, follow, tail)

        def show(said: LogLine) -> None:
            fields = {"pod": said.pod, "index": said.index, "line": said.line}
            as_json = output is Format.JSON
            typer.echo(json.dumps(fields, ensure_ascii=False) if as_json else said.text)

        await print_logs(cluster, run, wanted, show, lambda words: typer.echo(words, err=True))

    on_cluster("logs", work, namespace=namespace, context=context, kubeconfig=kubeconfig)
