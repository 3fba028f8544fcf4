"""Objects in parts, several at a time, with bounded memory."""

from __future__ import annotations

import base64
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

from .access import THREADS
from .connection import Stopped

MIB = 1 << 20
PART = 16 * MIB
_MOST_PARTS = 10_000
"""S3's own limit."""

T = TypeVar("T")
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


def uploaded_part(size: int, part: int = PART) -> int:
    """Bytes of each part of an upload: `part`, or as many whole MiB as keep the number of parts within the limit."""
    needed = -(-size // _MOST_PARTS)
    return max(part, -(-needed // MIB) * MIB)


def for_each(items: Iterable[T], work: Callable[[T, threading.Event], R]) -> list[R]:
    """What `work` makes of each item, in order, a few at a time.

    An item is taken only when somebody is free to work on it, so that few of them are in memory. The first failure stops the
    rest; work that is under way is told by the event.
    """
    stop, free = threading.Event(), threading.Semaphore(THREADS)

    def guarded(item: T) -> R:
        try:
            return work(item, stop)
        except BaseException:
            stop.set()
            raise
        finally:
            free.release()

    futures, source = [], iter(items)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="s3") as pool:
        try:
            while not stop.is_set():
                free.acquire()
                try:
                    item = next(source)
                except StopIteration:
                    break
                futures.append(pool.submit(guarded, item))
                del item
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


def write_part(descriptor: int, part: Part, data: bytes) -> None:
    """Put the bytes of a part into a local file."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, part.start + len(data) - len(view))
        view = view[written:]


def crc32(data: bytes) -> str:
    """The checksum of a part, as S3 writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
