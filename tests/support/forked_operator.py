"""Operators that start at once, forked from a process that has imported everything: for tests that start very many."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from reflection_operator.__main__ import main

from .operator_process import OperatorProcess, Started

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["reflection_operator.__main__", "reflection_operator.run"])


class ForkedOperator(OperatorProcess):
    """One replica, with the same command line and the same permissions."""

    def _launch(self, words: list[str]) -> Started:
        process = _FORKS.Process(target=_operate, args=(words, self._log), daemon=True)
        process.start()
        return _Forked(process)


class _Forked:
    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"process {self.pid} is still there after {timeout} s"
        return code

    def poll(self) -> int | None:
        return self._process.exitcode


def _operate(words: list[str], log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.exit(main(words))
