"""What can happen to a request on its way and to its answer on the way back.

Requests and answers are seen whole, so these are the faults that matter: a request that never arrived, that arrived in part,
that was carried out although its answer was lost, an answer that is not the server's.
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .wire import Connected, Message, read_message, reset


class Exchange(NamedTuple):
    """A request that has come in: what a fault may do with it."""

    request: Message
    client: socket.socket
    server: Callable[[], Connected]

    def forward(self, body: bytes | None = None) -> Message:
        """Have it carried out; the server's answer."""
        server = self.server()
        server.socket.sendall(self.request.encoded(body))
        while (answer := read_message(server, self.request.start.startswith("HEAD "))) is not None:
            if not answer.start.split()[1].startswith("1"):
                return answer
        raise ConnectionError("the server closed the connection")

    def answer(self, message: Message) -> None:
        self.client.sendall(message.encoded())


Act = Callable[[Exchange], None]


class Reset(Exception):
    """Raised by a fault: the client's connection ends with a reset."""


def error_answer(status: int, code: str, message: str = "told to") -> Act:
    """The server is never asked; this error is the answer."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()

    def act(exchange: Exchange) -> None:
        exchange.answer(_answer(status, body if not exchange.request.start.startswith("HEAD ") else b""))

    return act


def refused_by_api(status: int, reason: str, **headers: str) -> Act:
    """An API server's refusal is the answer; it is never asked."""
    words = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
    body = json.dumps(words | {"message": "told to"}).encode()
    told = [("Content-Length", str(len(body))), ("Content-Type", "application/json")]
    told += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda exchange: exchange.answer(Message(f"HTTP/1.1 {status} Told", told, body))


def watch_expired(exchange: Exchange) -> None:
    """How an API server says that the place of a watch is gone: by an event in its stream."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired"}
    body = (
        json.dumps({"type": "ERROR", "object": status | {"message": "too old resource version"}}).encode()
        + b"\n"
    )
    told = [("Content-Length", str(len(body))), ("Content-Type", "application/json")]
    exchange.answer(Message("HTTP/1.1 200 OK", told, body))


def reset_before(exchange: Exchange) -> None:
    """The request is lost."""
    raise Reset


def lose_answer(exchange: Exchange) -> None:
    """The request is carried out, and nobody says so."""
    exchange.forward()
    raise Reset


def cut_request(exchange: Exchange) -> None:
    """The server gets the first half of the body, then both connections end."""
    server = exchange.server()
    server.socket.sendall(exchange.request.encoded(exchange.request.body[: len(exchange.request.body) // 2]))
    reset(server.socket)
    raise Reset


def cut_answer(exchange: Exchange) -> None:
    """The client gets the first half of the answer's body."""
    answer = exchange.forward()
    exchange.client.sendall(answer.encoded(answer.body[: len(answer.body) // 2]))
    raise Reset


def end_in_answer(exchange: Exchange) -> None:
    """The client gets the first half of the answer's body, and the connection ends in order."""
    answer = exchange.forward()
    exchange.client.sendall(answer.encoded(answer.body[: len(answer.body) // 2]))
    exchange.client.shutdown(socket.SHUT_WR)


def damage_request(exchange: Exchange) -> None:
    """A byte of the body changes on the way."""
    exchange.answer(exchange.forward(_damaged(exchange.request.body)))


def damage_answer(exchange: Exchange) -> None:
    """A byte of the answer's body changes on the way."""
    answer = exchange.forward()
    exchange.answer(answer._replace(body=_damaged(answer.body)))


def canned_answer(status: int, body: bytes) -> Act:
    """The server is never asked; this is the answer."""
    return lambda exchange: exchange.answer(_answer(status, body))


def replaced_answer(status: int, body: bytes) -> Act:
    """The request is carried out, and the answer is another one."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        exchange.answer(_answer(status, body))

    return act


@dataclass
class Fault:
    """What happens to the next requests that match."""

    act: Act
    method: str = ""
    """A regular expression for the whole method."""
    target: str = ""
    """A regular expression that is searched in the path and query."""
    header: str = ""
    """A regular expression that is searched in the value of the Authorization header."""
    times: int = 1
    after: int = 0
    """Matching requests that go through unharmed first."""

    def takes(self, request: Message) -> bool:
        method, target, _ = request.start.split(" ", 2)
        matches = (
            self.times > 0
            and re.fullmatch(self.method or ".*", method) is not None
            and re.search(self.target, target) is not None
            and re.search(self.header, request.header("authorization")) is not None
        )
        if not matches:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


_BY_CHANCE: dict[str, Act] = {
    "slow down": error_answer(503, "SlowDown"),
    "internal error": error_answer(500, "InternalError"),
    "request lost": reset_before,
    "answer lost": lose_answer,
    "half a request": cut_request,
    "half an answer": cut_answer,
}


@dataclass
class Chaos:
    """Harm by chance."""

    rng: random.Random
    share: float
    """Of the requests."""
    done: Counter[str] = field(default_factory=Counter)
    """How often each kind of harm was done so far."""

    def act(self) -> Act | None:
        if self.rng.random() >= self.share:
            return None
        name = self.rng.choice(list(_BY_CHANCE))
        self.done[name] += 1
        return _BY_CHANCE[name]


def _answer(status: int, body: bytes) -> Message:
    headers = [("Content-Length", str(len(body))), ("Content-Type", "application/xml")]
    return Message(f"HTTP/1.1 {status} Told", headers, body)


def _damaged(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])
