"""Processes of a run: started with a mark in their environment, found and ended by it.

A stage starts children of its own (engines, launchers, data loaders), some in sessions of their own, and any process may be
killed without warning. A mark that every descendant inherits finds them all, whoever their parent is now. A second variable
tells the processes of one runner from those of the next, which may be there before the last of the former are gone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

MARK = "REFLECT_LOCAL_RUN"
"""Variable that names the run (its folder) in the environment of each of its processes."""
_RUNNER = "REFLECT_LOCAL_RUNNER"
"""Variable that names the process that started them."""
_THIS_RUNNER = uuid.uuid4().hex
_KEEP_READABLE = {"SPT_NOENV": "1"}
"""setproctitle, by which vLLM names its workers, writes the name over the environment unless told not to."""


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches only the runner, which then stops it in order."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            env={**environment, **_KEEP_READABLE, _RUNNER: _THIS_RUNNER},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def marked(mark: str, runner: str | None = None) -> Iterator[psutil.Process]:
    """The living processes that carry this mark, other than this one; of one runner, or of all."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            ours = environment.get(MARK) == mark and runner in (None, environment.get(_RUNNER))
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def end_marked(mark: str, runner: str | None = None, *, grace: float = 0.0) -> None:
    """End every process that `marked` finds: SIGTERM, up to `grace` seconds of patience, then SIGKILL until none is left."""
    if grace > 0:
        patient = list(marked(mark, runner))
        for process in patient:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        psutil.wait_procs(patient, timeout=grace)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = list(marked(mark, runner))  # again each time: a dying launcher may just have started another
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def oom_kills() -> int:
    """Processes that the kernel has killed for want of memory since it started; 0 where it does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class Lifeline:
    """A process that outlives the runner by a moment: when the runner is gone, however, it ends what the runner started.

    It waits for the end of a pipe that only the runner holds open, so SIGKILL of the runner is noticed at once.
    """

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reflection_operator.local.lifeline", mark, _THIS_RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Let it go; it ends what is left of the run."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
