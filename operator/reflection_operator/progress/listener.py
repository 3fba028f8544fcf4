"""Connections to a server, so many at a time.

Whoever opens many and says nothing would take the memory of all runs: each has buffers for TLS as soon as its handshake may
begin. asyncio's own server begins it with every connection, so these are accepted here, and closed where there are enough.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

from aiohttp import web

_RESPITE_S = 1.0
"""Where none can be accepted, as when there are no file descriptors left."""
_SHARES = 4
"""So many addresses must take part to use up all connections."""


class Listener:
    """Hands the connections to a port to a web application, once they have shaken hands."""

    def __init__(
        self, runner: web.AppRunner, context: ssl.SSLContext, *, most: int, greeting_s: float
    ) -> None:
        """At most `most` connections at a time, of which each must have shaken hands within `greeting_s` seconds."""
        self._runner, self._context = runner, context
        self._most, self._greeting_s = most, greeting_s
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._greeting: dict[asyncio.Task[None], tuple[web.RequestHandler, str]] = {}
        """Connections that shake hands, and their addresses."""

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or there is no such address; it may be tried again.
        """
        if self._runner.server is None:
            await self._runner.setup()
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        self._listening = socket.create_server(address, family=family)
        self._listening.setblocking(False)
        self._accepting = loop.create_task(self._accept(self._listening))

    async def stop(self) -> None:
        """Listen no more, and end all connections."""
        if self._accepting and self._listening:
            await _cancelled(self._accepting)
            self._listening.close()
        await _cancelled(*self._greeting)
        await self._runner.cleanup()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # One that is there already is accepted without a pause for whatever else there is to do.
            await asyncio.sleep(0)
            try:
                connection, (peer, *_) = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_RESPITE_S)
                continue
            peers = list(self._peers())
            if len(peers) >= self._most or peers.count(peer) >= self._most // _SHARES:
                connection.close()
                continue
            assert self._runner.server is not None, "it was set up before"
            handler = self._runner.server()
            task = loop.create_task(self._greet(connection, handler))
            self._greeting[task] = handler, peer
            task.add_done_callback(self._greeting.pop)

    def _peers(self) -> Iterator[str]:
        """The address of every connection."""
        # Once they have shaken hands the server counts them.
        yield from (peer for handler, peer in self._greeting.values() if handler.transport is None)
        for each in self._runner.server.connections if self._runner.server else ():
            if each.transport is not None:
                yield each.transport.get_extra_info("peername", ("",))[0]

    async def _greet(self, connection: socket.socket, handler: web.RequestHandler) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: handler, connection, ssl=self._context, ssl_handshake_timeout=self._greeting_s
            )
        except OSError:
            return  # it does not speak TLS, trusts another authority, or takes too long: the connection is closed


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
