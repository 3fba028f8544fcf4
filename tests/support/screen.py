"""A program on a terminal, as somebody who looks at it sees it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 60
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?!\n)")


class Screen:
    """What a program writes to its terminal."""

    def __init__(self, terminal: int, program: subprocess.Popen[bytes]) -> None:
        self._terminal = terminal
        self.program = program
        self._rest = ""

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def wait_for(self, words: str, *, patience: float = _PATIENCE_S) -> str:
        """Read on until these words have come, and say what came before them.

        A screen that is painted again and again never falls silent.
        """
        deadline = time.monotonic() + patience
        while words not in self._rest:
            ready, _, _ = select.select([self._terminal], [], [], 1)
            assert time.monotonic() < deadline, f"{words!r} does not come after {self._rest[-4000:]!r}"
            if not ready:
                continue
            try:
                self._rest += os.read(self._terminal, 65_536).decode(errors="replace")
            except OSError as error:  # how Linux says that nobody is at the other end any more
                raise AssertionError(f"it ended without {words!r}: {self._rest[-4000:]!r}") from error
        before, _, self._rest = self._rest.partition(words)
        return before


def plain(painting: str) -> str:
    """What is to be read on a screen."""
    return _CONTROL.sub("", painting)


@contextmanager
def on_terminal(command: Sequence[str | Path], env: Mapping[str, str]) -> Iterator[Screen]:
    """Run a program on a terminal of a hundred columns."""
    ours, theirs = pty.openpty()
    environment = {**env, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    program = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield Screen(ours, program)
    finally:
        program.kill()
        program.wait()
        os.close(ours)
