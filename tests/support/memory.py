"""Processes that may use so much memory and no more: the kernel kills one of theirs, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def limited_memory(name: str, limit: int) -> Iterator[list[str]]:
    """A command that runs the command behind it, with all its children, in at most `limit` bytes.

    Where this user may not set such a limit, the test is left out.
    """
    if not _can_limit():
        pytest.skip(f"this user may not make a control group for memory under {_ROOT}: run it as root")
    with _limited(name, limit) as within:
        yield within


@contextmanager
def _limited(name: str, limit: int) -> Iterator[list[str]]:
    group = _group(name)
    group.mkdir()
    try:
        (file,) = (file for file in ("memory.max", "memory.limit_in_bytes") if (group / file).exists())
        (group / file).write_text(str(limit))
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        group.rmdir()


def _can_limit() -> bool:
    with suppress(OSError, ValueError), _limited(f"reflect-tests-try-{os.getpid()}", 1 << 26):
        return True
    return False


def _group(name: str) -> Path:
    """Of cgroup v1, where memory has a tree of its own, or of v2."""
    return (_ROOT / "memory" if (_ROOT / "memory").exists() else _ROOT) / name
