"""`reflect resume`: sets `spec.suspend` of a run on a cluster."""

from __future__ import annotations

from .on_cluster import Context, Kubeconfig, Namespace, RunName
from .output import Format, Output
from .suspending import set_suspended


def resume(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Output = Format.TEXT,
) -> None:
    """Let a suspended run on a cluster go on.

    Training goes on from its last checkpoint; other stages skip the shards that are finished.
    """
    set_suspended(
        "resume",
        name,
        wanted=False,
        namespace=namespace,
        context=context,
        kubeconfig=kubeconfig,
        output=output,
    )
