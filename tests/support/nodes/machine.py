"""A machine of its own as far as processes, mounts and network go; disk, kernel and processors are those of the real one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from ..daemons import Daemons
from .daemon import Daemon

_NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--pid")
_READY_LIMIT_S = 20
_INIT = Path(__file__).with_name("init.py")


class Machine:
    """Namespaces with a first process that keeps them."""

    def __init__(self, daemons: Daemons, name: str) -> None:
        """Make them; they end with the other processes of `daemons`."""
        self.name = name
        self._daemons = daemons
        self._started: dict[str, Daemon] = {}
        log = daemons.log(name)
        holder = daemons.start(
            name,
            [
                "unshare",
                *_NAMESPACES,
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                sys.executable,
                _INIT,
            ],
        )
        deadline = time.monotonic() + _READY_LIMIT_S
        while "ready" not in log.read_text():
            if holder.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not come up:\n{log.read_text()}")
            time.sleep(0.02)
        (first,) = psutil.Process(holder.pid).children()
        self.pid = first.pid
        """Of the first process, as it is called outside."""
        self.run("hostname", name)

    def within(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command that runs this one on the machine."""
        return ["nsenter", f"--target={self.pid}", *_NAMESPACES, *command]

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Start a process that stays."""
        self._started[name] = Daemon(lambda: self._daemons.start(name, self.within(command)))

    def daemon(self, name: str) -> Daemon:
        """What was started under that name."""
        return self._started[name]

    def run(self, *command: str | Path) -> str:
        """Run a command to its end; what it prints.

        Raises:
            RuntimeError: it fails.
        """
        done = subprocess.run(self.within(command), text=True, capture_output=True, check=False)
        if done.returncode:
            words = " ".join(map(str, command))
            raise RuntimeError(f"{self.name}: {words}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def network(self, *words: str) -> None:
        """Run `ip` in its network, where processes of other machines can be named."""
        command = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", *words]
        subprocess.run(command, check=True, capture_output=True)
