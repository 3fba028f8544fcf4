"""Lines between a parent and a child, with bounds on time and size that the child cannot move."""

from __future__ import annotations

import os
import select
import time
from typing import NamedTuple

from .cells import Child

_CHUNK = 65536


class Allowance(NamedTuple):
    """What one answer may take."""

    cpu_seconds: float
    """Of the processor: what counts, since it is the same on an idle and on a busy machine."""
    wall_seconds: float
    """By the clock: for a child that waits for something that never comes."""
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


def ask(child: Child, writer: int, question: bytes, reader: int, allowance: Allowance) -> bytes:
    """Write one line and return the line that comes back, without its end. Both pipes must not block.

    Raises:
        Refused: none comes.
    """
    watch = _Watch(child, allowance)
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
    def __init__(self, child: Child, allowance: Allowance) -> None:
        self._child, self._allowance = child, allowance
        self._cpu, self._wall = child.cpu_seconds(), time.monotonic()

    def milliseconds(self) -> float:
        """How long to wait before looking again.

        Raises:
            Refused: time ran out.
        """
        cpu = self._allowance.cpu_seconds - (self._child.cpu_seconds() - self._cpu)
        wall = self._allowance.wall_seconds - (time.monotonic() - self._wall)
        if cpu <= 0 or wall <= 0:
            raise Refused(late=True)
        return max(1.0, 1000 * min(cpu, wall))
