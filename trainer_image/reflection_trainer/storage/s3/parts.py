"""Objects in parts, several at a time, with bounded memory."""

from __future__ import annotations

import base64
import os
import threading
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

from .access import THREADS
from .connection import Stopped

MIB = 1 << 20
PART = 16 * MIB
_MEMORY = THREADS * 64 * MIB
"""Bytes of parts in memory at the same time: what an object of up to 640 GB keeps within even with all threads."""
_MOST_PARTS = 10_000
"""S3's own limit."""

R = TypeVar("R")


class Part(NamedTuple):
    """A part of an object."""

    number: int
    """From 1."""
    start: int
    size: int


def parts_of(size: int, part: int = PART) -> list[Part]:
    """The parts of an object of `size` bytes, each of `part` bytes but the last one."""
    starts = range(0, size, part)
    return [Part(number, start, min(part, size - start)) for number, start in enumerate(starts, start=1)]


def uploaded_part(size: int) -> int:
    """Bytes of each part of an upload: whole MiB, and more of them where there would be too many parts."""
    needed = -(-size // _MOST_PARTS)
    return max(PART, -(-needed // MIB) * MIB)


def for_each(parts: Sequence[Part], work: Callable[[Part, threading.Event], R]) -> list[R]:
    """What `work` makes of each part, in order. The first failure stops the others, which are told by the event."""
    if not parts:
        return []
    stop = threading.Event()

    def guarded(part: Part) -> R:
        if stop.is_set():
            raise Stopped
        try:
            return work(part, stop)
        except BaseException:
            stop.set()
            raise

    threads = max(1, min(THREADS, _MEMORY // parts[0].size))
    with ThreadPoolExecutor(threads, thread_name_prefix="s3") as pool:
        futures = [pool.submit(guarded, part) for part in parts]
        try:
            wait(futures)
        finally:  # also after Ctrl-C, which arrives in this thread
            stop.set()
    return _results(futures)


def _results(futures: Sequence[Future[R]]) -> list[R]:
    """All results, or the failure that stopped the rest."""
    failures = [error for future in futures if (error := future.exception()) is not None]
    for failure in failures:
        if not isinstance(failure, Stopped):
            raise failure
    return [future.result() for future in futures]


def read_part(descriptor: int, part: Part) -> bytes:
    """The bytes of a part of a local file."""
    data = os.pread(descriptor, part.size, part.start)
    if len(data) != part.size:
        raise RuntimeError(
            f"a file that is being stored was shortened: {len(data)} bytes at {part.start}, not {part.size}"
        )
    return data


def write_part(descriptor: int, part: Part, data: bytes) -> None:
    """Put the bytes of a part into a local file."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, part.start + len(data) - len(view))
        view = view[written:]


def crc32(data: bytes) -> str:
    """The checksum of a part, as S3 writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
