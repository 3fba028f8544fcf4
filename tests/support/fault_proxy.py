"""Stands between a client and an HTTP server, passes everything on, and does harm where it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading

from .faults import Act, Chaos, Exchange, Fault, Reset
from .wire import Connected, Message, read_message, reset

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class FaultProxy:
    """Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.chaos: Chaos | None = None
        self.down = False
        """Every connection is reset: an outage."""
        self.requests: list[str] = []
        """Method and target of all requests so far."""

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
                opened.append(Connected(socket.create_connection(self._upstream)))
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

    def _one(self, exchange: Exchange) -> None:
        act = self._chosen(exchange.request)
        if act is None:
            exchange.answer(exchange.forward())
        else:
            act(exchange)

    def _chosen(self, request: Message) -> Act | None:
        with self._lock:
            if self.down:
                raise Reset
            self.requests.append(" ".join(request.start.split(" ")[:2]))
            fault = next((fault for fault in self._faults if fault.takes(request)), None)
            if fault is not None:
                return fault.act
            return self.chaos.act() if self.chaos else None
