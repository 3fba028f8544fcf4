"""HTTP messages as bytes: whole requests and answers, read from a connection and written to one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

_BOUND = 64 << 20


class Message(NamedTuple):
    """A request or an answer."""

    start: str
    """`PUT /bucket/key HTTP/1.1`, or `HTTP/1.1 200 OK`."""
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def encoded(self, body: bytes | None = None) -> bytes:
        lines = [self.start, *(f"{key}: {value}" for key, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1") + (self.body if body is None else body)


class Connected:
    """A connection and what was read from it too early."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.buffer = b""

    def until(self, mark: bytes) -> bytes | None:
        while mark not in self.buffer:
            if not self._more():
                return None
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def exactly(self, size: int) -> bytes:
        parts, missing = [self.buffer[:size]], size - len(self.buffer)
        self.buffer = self.buffer[size:]
        while missing > 0:
            part = self.socket.recv(min(missing, 1 << 20))
            if not part:
                raise ConnectionError("closed in the middle")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _more(self) -> bool:
        part = self.socket.recv(1 << 16)
        self.buffer += part
        return bool(part)


def read_message(
    source: Connected, bodyless: bool, on_expect: Callable[[], None] | None = None
) -> Message | None:
    """The next message; None where the connection ended before one."""
    head = source.until(b"\r\n\r\n")
    if head is None:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    message = Message(start, [pair for pair in headers if pair[0].lower() != "expect"], b"")
    if on_expect is not None and len(message.headers) < len(headers):
        on_expect()
    if bodyless or " 204 " in f"{start} " or " 304 " in f"{start} ":
        return message
    if "chunked" in message.header("transfer-encoding"):
        return message._replace(body=_chunks(source))
    size = int(message.header("content-length") or 0)
    assert size <= _BOUND
    return message._replace(body=source.exactly(size))


def _chunks(source: Connected) -> bytes:
    """A chunked body, as it is."""
    parts = []
    while True:
        line = source.until(b"\r\n")
        assert line is not None
        size = int(line.split(b";")[0], 16)
        parts.append(line + b"\r\n" + source.exactly(size + 2))
        if size == 0:
            return b"".join(parts)


def reset(connection: socket.socket) -> None:
    """End a connection the hard way."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
