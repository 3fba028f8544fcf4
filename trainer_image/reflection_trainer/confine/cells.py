"""The side of the parent: starts the server when it is first needed, spawns children and watches what they use."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from typing import BinaryIO

from reflection_api.reasons import Reason

from ..errors import BadConfig
from .server import NOT_LOCKED

START_SECONDS = 120.0
"""For the imports of a server on a busy machine. A guard against a hang."""
MEMORY = 512 * 1024**2
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "MPLCONFIGDIR": os.devnull,
    # One order of sets and one thread, so that the same item always gets the same verdict.
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class CannotConfine(BadConfig):
    """No locked-down child can be started on this machine."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"this verifier runs in a locked-down process, and {problem}; it needs Linux 4.14 or newer with seccomp, "
            "on x86_64 or aarch64",
            reason=Reason.INVALID_SPEC,
        )


class Child:
    """A locked-down process."""

    def __init__(self, cells: Cells, pid: int) -> None:
        self._cells, self._pid = cells, pid
        # The kernel's number for the processor clock of another process: see clock_getcpuclockid(3).
        self._clock = (~pid << 3) | 2

    def cpu_seconds(self) -> float:
        """What it has used so far. It exists until `end` collects it, whatever it did."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # ended and waiting to be collected
            return 0.0

    def end(self) -> int:
        """Kill it, if it still runs. Returns its exit code, or minus the signal that ended it.

        Raises:
            CannotConfine: it could not be locked down, and therefore did nothing.
        """
        return self._cells.reap(self._pid)


class Cells:
    """Where the children of one module come from. May be used by several threads."""

    def __init__(self, module: str, memory: int = MEMORY) -> None:
        self._module, self._memory = module, memory
        self._lock = threading.Lock()
        self._orders: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def spawn(self, entry: str, pipes: Sequence[int], cpu_seconds: int) -> Child:
        """Start a child that calls the module's function `entry` with its pipes, which are closed here.

        Raises:
            CannotConfine: the server cannot be started.
        """
        order = {"spawn": entry, "cpuSeconds": cpu_seconds, "memory": self._memory}
        try:
            return Child(self, self._order(order, pipes)["pid"])
        finally:
            for pipe in pipes:
                os.close(pipe)

    def reap(self, pid: int) -> int:
        """See `Child.end`."""
        status = self._order({"reap": pid})["status"]
        if status == NOT_LOCKED:
            raise CannotConfine("one could not be locked down")
        return status

    def close(self) -> None:
        """End the server and all children."""
        with self._lock:
            if self._orders is not None and self._server is not None:
                _close(self._orders, self._server)
                self._orders = self._server = None

    def _order(self, order: dict[str, object], pipes: Sequence[int] = ()) -> dict[str, int]:
        with self._lock:
            if self._orders is None:
                self._start()
            assert self._orders is not None
            answer = _sent(self._orders, order, pipes)
        if not answer:
            raise CannotConfine(
                f"the server of {self._module} has died, which a machine out of memory does to it"
            )
        found: dict[str, int] = json.loads(answer)
        return found

    def _start(self) -> None:
        if not sys.platform.startswith("linux"):
            raise CannotConfine(f"this is {sys.platform}")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, os.fdopen(os.memfd_create("errors"), "w+b") as errors:
            command = [
                sys.executable,
                "-P",
                "-m",
                f"{__package__}.server",
                self._module,
                str(theirs.fileno()),
            ]
            server = subprocess.Popen(
                command,
                # What this process can import, the server can; nothing else of its environment goes there.
                env=_ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            _await_start(ours, server, errors, self._module)
        self._orders, self._server = ours, server
        weakref.finalize(self, _close, ours, server)


def _sent(orders: socket.socket, order: dict[str, object], pipes: Sequence[int]) -> bytes:
    """The answer to an order; nothing where the server is gone."""
    try:
        socket.send_fds(orders, [json.dumps(order).encode()], list(pipes))
        return orders.recv(4096)
    except ConnectionError:
        return b""


def _await_start(
    orders: socket.socket, server: subprocess.Popen[bytes], errors: BinaryIO, module: str
) -> None:
    orders.settimeout(START_SECONDS)
    try:
        ready = orders.recv(16)
    except TimeoutError:
        ready = b""
    if not ready:
        _close(orders, server)
        errors.seek(0)
        words = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
        raise CannotConfine(f"the server of {module} did not start: {words[-1]}")
    orders.settimeout(None)


def _close(orders: socket.socket, server: subprocess.Popen[bytes]) -> None:
    orders.close()  # the server sees it and ends, and its children with it
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
