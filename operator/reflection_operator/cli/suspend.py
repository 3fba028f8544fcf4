"""`reflect suspend`: sets `spec.suspend` of a run on a cluster."""

from __future__ import annotations

from .on_cluster import Context, Kubeconfig, Namespace, RunName
from .output import Format, Output
from .suspending import set_suspended


def suspend(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Output = Format.TEXT,
) -> None:
    """Stop the pods of a run on a cluster and hold it.

    Training saves a checkpoint first, and goes on from there when the run is resumed.
    """
    set_suspended(
        "suspend",
        name,
        wanted=True,
        namespace=namespace,
        context=context,
        kubeconfig=kubeconfig,
        output=output,
    )
