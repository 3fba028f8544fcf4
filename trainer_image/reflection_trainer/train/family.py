"""Child processes that never outlive their parent, even one that was killed without warning (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from functools import partial

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def dying_with_this_process() -> Callable[[], None]:
    """What a child of this process has to do first: the `preexec_fn` of `subprocess.Popen`."""
    return partial(die_with_parent, os.getpid())


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to kill this process when its parent ends.

    Args:
        parent: the parent's number, where it is known: in a container it may be 1. Else a parent with that number is taken for
            the process that orphans are given to.

    Raises:
        OSError: the kernel refused.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    orphaned = os.getppid() == 1 if parent is None else os.getppid() != parent
    if orphaned:  # the parent ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)
