"""The server that children are forked from: `python -m reflection_trainer.confine.server MODULE DESCRIPTOR`.

It imports MODULE, and with it all that the module's children will ever need, and then takes orders on a socket: `spawn` forks a
child that calls a function of the module, `reap` kills one and says how it ended. It never sees a job: those go through pipes
straight to the child. When the socket is closed, at the latest by the end of the process that holds it, all children die and
the server ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from .lockdown import FIRST, Limits, lock_down

MOST_PIPES = 8
CRASHED, NOT_LOCKED = 70, 71
"""Exit codes of a child: its function raised; it could not be locked down and did nothing."""
_MESSAGE = 4096


def main(module_name: str, descriptor: int) -> None:
    """Serve until the socket is closed."""
    with socket.socket(fileno=descriptor) as orders:
        _try_lockdown()
        module = importlib.import_module(module_name)
        gc.collect()
        gc.freeze()  # children share these pages for longer when the collector leaves them alone
        orders.send(b"{}")
        children: set[int] = set()
        try:
            while _serve(module, orders, children):
                pass
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def _serve(module: ModuleType, orders: socket.socket, children: set[int]) -> bool:
    message, pipes, _, _ = socket.recv_fds(orders, _MESSAGE, MOST_PIPES)
    if not message:
        return False
    order = json.loads(message)
    if "spawn" in order:
        child = _spawn(module, order, pipes)
        children.add(child)
        answer = {"pid": child}
    else:
        child = order["reap"]
        children.discard(child)
        answer = {"status": _end(child)}
    for pipe in pipes:
        os.close(pipe)
    orders.send(json.dumps(answer).encode())
    return True


def _spawn(module: ModuleType, order: dict[str, Any], pipes: list[int]) -> int:
    base_memory = _address_space()
    child = os.fork()
    if child:
        return child
    code = NOT_LOCKED
    try:
        kept = lock_down(pipes, Limits(order["cpuSeconds"], order["memory"]), base_memory)
        code = CRASHED
        getattr(module, order["spawn"])(*kept)
        code = 0
    finally:  # whatever it was, a child never goes on as the server
        os._exit(code)


def _try_lockdown() -> None:
    """Lock a child down that does nothing, to find out here and now whether this machine can.

    Raises:
        OSError: it cannot.
    """
    reader, writer = os.pipe()
    base_memory = _address_space()
    child = os.fork()
    if not child:
        code = NOT_LOCKED
        try:
            lock_down([writer], Limits(60, 512 * 1024**2), base_memory)
            code = 0
        except OSError as error:
            os.write(FIRST, str(error).encode())
        finally:
            os._exit(code)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    problem = os.read(reader, _MESSAGE).decode()
    os.close(reader)
    if status:
        raise OSError(problem or "a child could not be locked down")


def _end(child: int) -> int:
    """Kill a child, which is all there is of its process group, and collect it. Returns its exit code or minus its signal."""
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except (ConnectionError, KeyboardInterrupt):
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the process that started this one shows the end of standard error
        traceback.print_exc()
        sys.exit(1)
