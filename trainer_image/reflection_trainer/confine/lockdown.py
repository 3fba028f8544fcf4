"""Everything that a child gives up before it sees any input, in order."""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
from typing import NamedTuple

from . import landlock, seccomp
from .kernel import prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

FIRST = 3
"""The descriptor of a child's first pipe; below it are the three standard ones, all on /dev/null."""
_PARKED = 64


class Limits(NamedTuple):
    """What a child may use."""

    cpu_seconds: int
    """Of its whole life, as a backstop: the parent watches more closely."""
    memory: int
    """Bytes of address space beyond what the server had."""


def lock_down(descriptors: list[int], limits: Limits, base_memory: int) -> list[int]:
    """Lock this process, a fresh fork, down; returns its pipes under their new numbers.

    Args:
        descriptors: the pipes that it keeps. All other descriptors are closed.
        limits: what it may use.
        base_memory: bytes of address space of the server, which no limit can take away.

    Raises:
        NoSeccomp: this machine cannot.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(_PR_SET_DUMPABLE, 0)
    os.setsid()
    kept = _keep_only(descriptors)
    os.environ.clear()
    random.seed(0)
    gc.freeze()
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.install()
    _limit(limits, base_memory)
    seccomp.install()
    return kept


def _keep_only(descriptors: list[int]) -> list[int]:
    """Move the pipes to 3, 4, ...; standard input, output and error go to /dev/null; close everything else."""
    # Out of the way first: a pipe may sit where another one has to go.
    parked = [os.dup2(descriptor, _PARKED + place) for place, descriptor in enumerate(descriptors)]
    kept = [os.dup2(descriptor, FIRST + place) for place, descriptor in enumerate(parked)]
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(FIRST):
        os.dup2(null, standard)
    os.closerange(FIRST + len(kept), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return kept


def _limit(limits: Limits, base_memory: int) -> None:
    bounds = {
        resource.RLIMIT_AS: base_memory + limits.memory,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_SIGPENDING: 0,
    }
    for kind, most in bounds.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))
