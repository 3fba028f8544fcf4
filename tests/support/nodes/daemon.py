"""A daemon of a machine, which a test may kill as the kernel does and start again as an init system does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psutil

_END_LIMIT_S = 10


class Daemon:
    """One program; what it starts itself (containers, say) is not its own and outlives it."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        """Start it by a call that gives back the process that is its parent, and ends with it."""
        self._start = start
        self._parent = start()

    def kill(self) -> None:
        """End it without a word."""
        for process in psutil.Process(self._parent.pid).children():
            process.kill()
        self._parent.wait(timeout=_END_LIMIT_S)

    def start(self) -> None:
        """Start it again, after it has ended."""
        self._parent = self._start()
