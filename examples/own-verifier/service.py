"""A verifier of one's own: an answer is right if it adds two numbers to the row's sum. Only the standard library.

It speaks what openapi.json describes. `judge` is the part to replace.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MAX_BODY = 32 * 1024 * 1024
OPENAPI = Path(__file__).with_name("openapi.json")
SUM = re.compile(r"([0-9]{1,9}) \+ ([0-9]{1,9})")
ALLOWED = {"/v1/verify": "POST", "/healthz": "GET", "/openapi.json": "GET"}


class Bad(ValueError):
    """The request is not what openapi.json describes."""


def judge(item: dict[str, Any]) -> tuple[bool, str]:
    """Whether a completion is right, and a word for the kind of wrong. Whatever a model wrote gets a verdict."""
    wanted = item["row"].get("sum")
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        raise Bad(f'item {item["id"]!r}: row has no whole number "sum"')
    # The whole answer: one that may stand anywhere would let a model say all that it can think of.
    found = SUM.fullmatch(item["completion"].strip())
    if found is None:
        return False, "no_sum"
    return (True, "correct") if int(found[1]) + int(found[2]) == wanted else (False, "wrong_sum")


def verdicts(body: bytes) -> dict[str, Any]:
    """The answer to a request."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Bad("the body is not JSON") from None
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(items) > 64:
        raise Bad('the body has no list "items" of at most 64')
    for item in items:
        check(item)
    judged = ((item["id"], *judge(item)) for item in items)
    return {"verdicts": [{"id": name, "correct": right, "reason": reason} for name, right, reason in judged]}


def check(item: Any) -> None:
    """Refuse what is no item."""
    kinds = {"id": str, "messages": list, "completion": str, "row": dict}
    if not isinstance(item, dict) or not all(
        isinstance(item.get(name), kind) for name, kind in kinds.items()
    ):
        raise Bad('an item is {"id", "messages", "completion", "row"}')
    for turn in item["messages"]:
        if not isinstance(turn, dict) or turn.get("role") not in ("system", "user", "assistant"):
            raise Bad('a message is {"role", "content"}')
        if not isinstance(turn.get("content"), str):
            raise Bad("the content of a message is a text")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        """Judge."""
        if self.path != "/v1/verify":
            return self.elsewhere()
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            return self.answer(413, {"error": f"give a content-length of at most {MAX_BODY}"})
        try:
            return self.answer(200, verdicts(self.rfile.read(int(length))))
        except Bad as problem:
            return self.answer(400, {"error": str(problem)})

    def do_GET(self) -> None:
        """Say that it can judge, or what it speaks."""
        if self.path == "/healthz":
            return self.answer(200, {"status": "ok"})
        if self.path == "/openapi.json":
            return self.answer(200, json.loads(OPENAPI.read_text()))
        return self.elsewhere()

    def elsewhere(self) -> None:
        """Another path, or another method."""
        self.close_connection = True  # a body that nobody reads would be taken for the next request
        if self.path in ALLOWED:
            return self.answer(405, {"error": "another method is needed"}, allow=ALLOWED[self.path])
        return self.answer(404, {"error": f"there is {', '.join(ALLOWED)}"})

    def __getattr__(self, name: str) -> Any:
        """Every other method."""
        if name.startswith("do_"):
            return self.elsewhere
        raise AttributeError(name)

    def answer(self, status: int, document: Any, **headers: str) -> None:
        """Send JSON."""
        data = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(data)),
            **headers,
        }.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Not a line for every request."""


def main() -> None:
    """Serve on $PORT until SIGTERM."""
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
