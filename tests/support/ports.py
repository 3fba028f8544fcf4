"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _END = 10_000, 65_536
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Different loopback ports that nobody listens on now.

    A port that the kernel picks is one that it also gives to connections: one of those may have it before the server binds it.
    These are below its range where that leaves any, and no two servers of this process get the same.
    """
    lowest_of_connections = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    ports = range(_LOWEST, lowest_of_connections) or range(_LOWEST, _END)
    found: list[int] = []
    for port in random.sample(ports, len(ports)):
        if len(found) == count:
            break
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    assert len(found) == count, f"no {count} ports are free among {ports}"
    return found


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False
