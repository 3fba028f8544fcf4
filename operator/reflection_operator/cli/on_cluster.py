"""What the commands for runs on a cluster have in common: where it is, and what becomes of an error."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from .exit_codes import FAILED

if TYPE_CHECKING:
    from ..remote.cluster import Cluster

T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _name(value: str | None) -> str | None:
    """It becomes part of a path."""
    if value is not None and not _NAME.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no name: lower-case letters, digits and dashes, at most 63")
    return value


RunName = Annotated[
    str, typer.Argument(help="Name of the ReflectionTraining.", metavar="NAME", callback=_name)
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Default: the context's.", callback=_name),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Default: the files of KUBECONFIG, else ~/.kube/config.", dir_okay=False)
]


def on_cluster(
    by: str,
    work: Callable[[Cluster], Awaitable[T]],
    *,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
) -> T:
    """Do something on the cluster that the options name; a problem is a sentence and exit code 1."""
    from ..local.installed import ExtraMissing, check_installed
    from ..remote.errors import RemoteError

    async def connect_and_work() -> T:
        from ..remote.cluster import connected
        from ..remote.place import Target

        async with connected(Target(kubeconfig, context, namespace)) as cluster:
            return await work(cluster)

    try:
        check_installed("operator", by=f"reflect {by}")
        return asyncio.run(connect_and_work())
    except (ExtraMissing, RemoteError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
