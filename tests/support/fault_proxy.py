"""Stands between a client and an HTTP server, passes everything on, and does harm where it is told to."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time

from .faults import Act, Chaos, Exchange, Fault, Reset
from .wire import Connected, Message, read_message, reset

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LOOK_UP_S = 0.5


class FaultProxy:
    """Use as a context manager."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """A server on loopback, and how to speak to it where it wants more than plain HTTP."""
        self._upstream = ("127.0.0.1", port)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.chaos: Chaos | None = None
        self.down = False
        """Every request is answered with a reset, and what flows is cut: an outage."""
        self._silences = 0
        self.refused = 0
        """Requests that an outage has met."""
        self.requests: list[str] = []
        """Method and target of all requests so far."""
        self.moments: list[float] = []
        """When each of them came, on the monotonic clock."""

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def inject(self, act: Act, **match: object) -> Fault:
        fault = Fault(act, **match)  # type: ignore[arg-type]
        with self._lock:
            self._faults.append(fault)
        return fault

    def silence(self) -> None:
        """Of the watches that are open nothing is passed on any more, and none is cut."""
        self._silences += 1

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        opened: list[Connected] = []

        def server() -> Connected:
            if not opened:
                opened.append(Connected(self._connect()))
            return opened[0]

        source = Connected(client)
        try:
            while (request := read_message(source, False, lambda: client.sendall(_CONTINUE))) is not None:
                self._one(Exchange(request, client, server))
        except Reset:
            reset(client)
        except OSError:
            pass
        finally:
            client.close()
            for connection in opened:
                connection.socket.close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._upstream)
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_hostname=self._upstream[0])

    def _one(self, exchange: Exchange) -> None:
        act = self._chosen(exchange.request)
        if act is not None:
            act(exchange)
        elif "watch=true" in exchange.request.start:
            self._stream(exchange)
        else:
            exchange.answer(exchange.forward())

    def _stream(self, exchange: Exchange) -> None:
        """Pass an answer on as it comes, for as long as both sides want it."""
        server, client, silences = exchange.server().socket, exchange.client, self._silences
        server.sendall(exchange.request.encoded())
        while not self.down:
            unread = isinstance(server, ssl.SSLSocket) and server.pending() > 0
            ready = [server] if unread else select.select([server, client], [], [], _LOOK_UP_S)[0]
            if client in ready:
                raise ConnectionError("who watched has gone")
            if server in ready:
                part = server.recv(1 << 16)
                if not part:
                    raise ConnectionError("the server ends the watch")
                if silences == self._silences:
                    client.sendall(part)
        raise Reset

    def _chosen(self, request: Message) -> Act | None:
        with self._lock:
            if self.down:
                self.refused += 1
                raise Reset
            self.requests.append(" ".join(request.start.split(" ")[:2]))
            self.moments.append(time.monotonic())
            fault = next((fault for fault in self._faults if fault.takes(request)), None)
            if fault is not None:
                return fault.act
            return self.chaos.act() if self.chaos else None
