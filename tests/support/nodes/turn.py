"""Clusters with nodes change settings of the whole kernel, and put them back: one runs at a time, whoever starts it."""

from __future__ import annotations

import fcntl
import os
import time
from io import TextIOWrapper

from ..go_tools import cache_folder

_LOOK_S = 0.5


class Occupied(RuntimeError):
    """A sentence for the person at the terminal."""


def take_turn(patience: float) -> TextIOWrapper:
    """The right to run one, until what is given back is closed; the kernel closes it where its holder is killed.

    Args:
        patience: seconds to wait for the one that runs.

    Raises:
        Occupied: it goes on all the while.
    """
    cache_folder().mkdir(parents=True, exist_ok=True)
    turn = (cache_folder() / "cluster.lock").open("a+")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_LOOK_S)
                continue
            turn.seek(0)
            holder = turn.read() or "a process"
            turn.close()
            raise Occupied(
                f"a cluster with nodes runs on this machine already, started by {holder}, and there may be one at a time: "
                "wait for its end, or stop it with `make cluster-down`"
            ) from None
        turn.truncate(0)
        turn.write(f"process {os.getpid()}")
        turn.flush()
        return turn
