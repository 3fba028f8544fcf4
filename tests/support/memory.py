"""Processes that may use so much memory and no more: the kernel kills one of theirs, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def limited_memory(name: str, limit: int) -> Iterator[list[str]]:
    """A command that runs the command behind it, with all its children, in at most `limit` bytes."""
    group = _group(name)
    group.mkdir()
    try:
        (file,) = (file for file in ("memory.max", "memory.limit_in_bytes") if (group / file).exists())
        (group / file).write_text(str(limit))
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        group.rmdir()


def can_limit() -> bool:
    """Whether this user may do so on this machine."""
    with suppress(OSError, ValueError), limited_memory(f"reflect-tests-try-{os.getpid()}", 1 << 26):
        return True
    return False


def _group(name: str) -> Path:
    """Of cgroup v1, where memory has a tree of its own, or of v2."""
    return (_ROOT / "memory" if (_ROOT / "memory").exists() else _ROOT) / name
