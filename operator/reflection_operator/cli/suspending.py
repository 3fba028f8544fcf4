"""What `reflect suspend` and `reflect resume` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .on_cluster import on_cluster
from .output import Format, print_json

if TYPE_CHECKING:
    from ..remote.cluster import Cluster
    from ..remote.suspending import Changed


def set_suspended(
    by: str,
    name: str,
    *,
    wanted: bool,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
    output: Format,
) -> None:
    """Set `spec.suspend` and say what that does."""

    async def work(cluster: Cluster) -> Changed:
        from ..remote.suspending import set_suspended as change

        return await change(cluster, name, wanted=wanted)

    done = on_cluster(by, work, namespace=namespace, context=context, kubeconfig=kubeconfig)
    if output is Format.JSON:
        print_json({"name": name, "suspend": wanted, "changed": done.changed})
    else:
        typer.echo(done.words)
