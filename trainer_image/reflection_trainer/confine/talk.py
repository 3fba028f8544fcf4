"""Lines between a parent and a child, with bounds on time and size that the child cannot move."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from typing import NamedTuple

from .cells import Child

_CHUNK = 65536
IDLE_SECONDS = 5.0
"""A child that is asked for something and uses no processor time at all for so long waits for what never comes."""


class Allowance(NamedTuple):
    """What one answer may take."""

    cpu_seconds: float
    """Of the processor: what counts, since it is the same on an idle and on a busy machine."""
    wall_seconds: float
    """By the clock, as a guard."""
    most: int
    """Bytes of the answer."""

    @classmethod
    def of(cls, cpu_seconds: float, most: int = 65536) -> Allowance:
        """With so much more time by the clock that only a stuck child reaches it."""
        return cls(cpu_seconds, 10 * cpu_seconds + 5, most)


class Refused(Exception):
    """There is no answer; `late` where time ran out, else the child ended or said too much."""

    def __init__(self, *, late: bool) -> None:
        super().__init__("late" if late else "broken")
        self.late = late


def ask(children: Sequence[Child], writer: int, question: bytes, reader: int, allowance: Allowance) -> bytes:
    """Write one line and return the line that comes back, without its end. Both pipes must not block.

    The children share the allowance: one may be working for the other.

    Raises:
        Refused: none comes.
    """
    watch = _Watch(children, allowance)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    rest = memoryview(question + b"\n")
    poll.register(writer, select.POLLOUT)
    answer = bytearray()
    while True:
        events = dict(poll.poll(watch.milliseconds()))
        if reader in events:
            answer += _read(reader)
            if b"\n" in answer:
                return bytes(answer[: answer.index(b"\n")])
            if len(answer) > allowance.most:
                raise Refused(late=False)
        elif writer in events:
            rest = _write(writer, rest)
            if not rest:
                poll.unregister(writer)


def _read(reader: int) -> bytes:
    chunk = os.read(reader, _CHUNK)
    if not chunk:
        raise Refused(late=False)
    return chunk


def _write(writer: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(writer, rest[:_CHUNK]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        raise Refused(late=False) from None


class _Watch:
    def __init__(self, children: Sequence[Child], allowance: Allowance) -> None:
        self._children, self._allowance = children, allowance
        self._used_before = self._used = self._cpu_seconds()
        self._started = self._moved = time.monotonic()

    def _cpu_seconds(self) -> float:
        return sum(child.cpu_seconds() for child in self._children)

    def milliseconds(self) -> float:
        """How long to wait before looking again.

        Raises:
            Refused: time ran out.
        """
        now, used = time.monotonic(), self._cpu_seconds()
        if used != self._used:
            self._used, self._moved = used, now
        cpu = self._allowance.cpu_seconds - (used - self._used_before)
        wall = self._allowance.wall_seconds - (now - self._started)
        idle = IDLE_SECONDS - (now - self._moved)
        if min(cpu, wall, idle) <= 0:
            raise Refused(late=True)
        return max(1.0, 1000 * min(cpu, wall, idle))
