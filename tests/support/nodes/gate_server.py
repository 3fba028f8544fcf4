"""Passes connections on to another place, or does harm to them: the process of a gate (gate.py)."""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path

REFUSES, SLOW, PASSES = "refuses", "slow", "passes"
CLOSED, ANSWERED = "closed", "answered 503"
"""What it says of each connection that it refuses."""
_PIECE = 1 << 16
_BYTES_PER_S = 2 << 20
"""Of one connection, while it is slow."""
_DELAY_S = 0.05
"""Of each piece, too."""
_REFUSAL = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_ANSWER = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_REFUSAL), _REFUSAL)
)


class _Server:
    def __init__(self, state: Path, upstream: tuple[str, int]) -> None:
        self._state, self._upstream = state, upstream
        self._refusals = 0
        self.refusing = 0
        """Port here of the server that answers everything with 503."""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody has come."""
        place = self._upstream
        if self._is(REFUSES):
            self._refusals += 1
            if self._refusals % 2:
                print(CLOSED, flush=True)
                writer.transport.abort()
                return
            place = ("127.0.0.1", self.refusing)
        try:
            there_reader, there_writer = await asyncio.open_connection(*place)
        except OSError:
            writer.transport.abort()
            return
        may_stay = place != self._upstream
        await asyncio.gather(
            self._pass_on(reader, there_writer, may_stay), self._pass_on(there_reader, writer, may_stay)
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_stay: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self._is(REFUSES) and not may_stay:
                    print(CLOSED, flush=True)
                    writer.transport.abort()
                    return
                if self._is(SLOW):
                    await asyncio.sleep(_DELAY_S + len(piece) / _BYTES_PER_S)
                writer.write(piece)
                await writer.drain()
        writer.close()

    def _is(self, state: str) -> bool:
        return self._state.read_text() == state


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)
        await writer.drain()
        print(ANSWERED, flush=True)
    writer.close()


async def _serve(state: str, here: str, there: str, port: str, certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = _Server(Path(state), (there, int(port)))
    refusing = await asyncio.start_server(_refuse, "127.0.0.1", 0, ssl=context)
    server.refusing = refusing.sockets[0].getsockname()[1]
    gate = await asyncio.start_server(server.connected, here, int(port))
    print("listens", flush=True)
    await gate.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
