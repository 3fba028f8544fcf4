"""A way from this machine's loopback to a port on another machine's network: connections are taken here and made there.

A process of its own, which listens first and then goes over to the other network: `python relay.py PID HOST PORT`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..daemons import Daemons

_CLONE_NEWNET = 0x40000000
_PIECE = 1 << 16
_READY_LIMIT_S = 20


def relay(daemons: Daemons, pid: int, host: str, port: int) -> int:
    """Lead to `host`:`port` on the network of the process `pid`; the port on the loopback address here."""
    name = f"relay-{host}-{port}"
    process = daemons.start(name, [sys.executable, "-m", __name__, str(pid), host, str(port)])
    deadline = time.monotonic() + _READY_LIMIT_S
    while not (said := daemons.log(name).read_text()).endswith("\n"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no way to {host}:{port}: {said}")
        time.sleep(0.02)
    return int(said)


async def _serve(listening: socket.socket, host: str, port: int) -> None:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))

    server = await asyncio.start_server(join, sock=listening)
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                writer.write(piece)
                await writer.drain()
    finally:
        writer.close()


def _enter_network(pid: int) -> None:
    place = os.open(Path("/proc") / str(pid) / "ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(place, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"the network of process {pid}")
    finally:
        os.close(place)


def main() -> None:
    """Listen, say where, go over, and serve."""
    pid, host, port = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", 0))
    _enter_network(int(pid))
    print(listening.getsockname()[1], flush=True)
    asyncio.run(_serve(listening, host, int(port)))


if __name__ == "__main__":
    main()
