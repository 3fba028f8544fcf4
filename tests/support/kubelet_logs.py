"""The part of a kubelet that serves logs: the API server fetches them from the node, and passes them on."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .cluster import CORE, Cluster
from .kubelet import NODE


class KubeletLogs:
    """Serves what tests write. Use as a context manager."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._logs: dict[str, str] = {}
        self._changed = threading.Condition()
        self._over = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cluster.plane.server_certificate("kubelet"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> KubeletLogs:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        self._cluster.patch(f"{CORE}/nodes/{NODE}/status", {"status": status})
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._server.shutdown()
        self._server.server_close()

    def write(self, pod: str, text: str) -> None:
        """A pod's container prints something."""
        with self._changed:
            self._logs[pod] = self._logs.get(pod, "") + text
            self._changed.notify_all()

    def end(self) -> None:
        """All containers have ended: whoever follows comes to the end."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        logs = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                _, _, _, pod, container = url.path.split("/")
                assert container in ("stage", "operator"), self.path
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in logs.pieces(pod, parse_qs(url.query)):
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: Any) -> None:
                """Not on the terminal of the tests."""

        return Handler

    def pieces(self, pod: str, query: dict[str, list[str]]) -> Any:
        """What there is, and with `follow` what comes until the end."""
        sent = 0
        with self._changed:
            if "tailLines" in query:
                lines = self._logs.get(pod, "").splitlines(keepends=True)
                sent = sum(map(len, lines[: max(0, len(lines) - int(query["tailLines"][0]))]))
            while True:
                if piece := self._logs.get(pod, "")[sent:]:
                    sent += len(piece)
                    yield piece.encode()
                elif self._over or query.get("follow") != ["true"]:
                    return
                else:
                    self._changed.wait()
