"""A verifier on loopback that behaves as a test says: well, badly, or not at all."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Items = list[dict[str, Any]]
Behaviour = Callable[["Request"], None]


@dataclass
class Asked:
    """What the server was asked, in the order of arrival."""

    url: str
    requests: list[Items] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0


class Request(BaseHTTPRequestHandler):
    """One request; a behaviour answers it."""

    protocol_version = "HTTP/1.1"
    server: _Server
    items: Items

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self.items = json.loads(body)["items"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.answer(400, "no items")
            return
        with self.server.lock:
            self.server.asked.requests.append(self.items)
            self.server.asked.headers.append({k.lower(): v for k, v in self.headers.items()})
            self.number = len(self.server.asked.requests)
            self.server.active += 1
            self.server.asked.most_at_once = max(self.server.asked.most_at_once, self.server.active)
        try:
            self.server.behaviour(self)
        finally:
            with self.server.lock:
                self.server.active -= 1

    def do_GET(self) -> None:
        self.answer(200 if self.server.healthy else 503)

    def answer(self, status: int, body: bytes | str | Any = b"", **headers: str) -> None:
        """Send an answer; what is neither bytes nor text is sent as JSON."""
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def judge(self) -> None:
        """Answer well: right is what ends with `right`."""
        self.answer(200, {"verdicts": [verdict(item) for item in self.items]})

    def vanish(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


def verdict(item: dict[str, Any]) -> dict[str, Any]:
    right = item["completion"].endswith("right")
    return {"id": item["id"], "correct": right, "reason": "correct" if right else "wrong_word"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behaviour: Behaviour, healthy: bool) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.behaviour, self.healthy, self.lock, self.active = behaviour, healthy, threading.Lock(), 0
        self.asked = Asked(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, *_: object) -> None:
        """A client that gives up is what several tests are about."""


@contextmanager
def verifier_server(
    behaviour: Behaviour = Request.judge,
    certificate: tuple[Path, Path] | None = None,
    *,
    healthy: bool = True,
) -> Iterator[Asked]:
    """A server until the end of the block; with a certificate and its key it speaks TLS."""
    server = _Server(behaviour, healthy)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.asked.url = server.asked.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_address() -> str:
    """An address on loopback on which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_address[1]}"
