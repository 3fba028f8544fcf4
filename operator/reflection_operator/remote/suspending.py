"""Setting `spec.suspend` of a run."""

from __future__ import annotations

from typing import NamedTuple

from .cluster import Cluster
from .errors import RemoteError
from .seen import seen


class Changed(NamedTuple):
    """What became of it."""

    changed: bool
    """False where it was so already."""
    words: str


async def set_suspended(cluster: Cluster, name: str, *, wanted: bool) -> Changed:
    """Suspend a run, or let it go on.

    Raises:
        RemoteError: it has ended, or cannot be changed.
    """
    obj = await cluster.run(name)
    run = seen(obj)
    if run.ended:
        how = "failed" if run.failed else "succeeded"
        raise RemoteError(f"{name} has {how}: there is nothing to {'suspend' if wanted else 'resume'}")
    if obj["spec"].get("suspend", False) is wanted:
        return Changed(False, f"{name} is {'suspended' if wanted else 'not suspended'} already")
    await cluster.suspend(name, wanted=wanted)
    if wanted:
        return Changed(
            True, f"{name} is being suspended; training goes on from its last checkpoint when it is resumed"
        )
    return Changed(True, f"{name} goes on")
