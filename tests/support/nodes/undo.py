"""What nodes change on this machine beyond their namespaces, and how it is undone: by whoever stops them, or the next one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import cgroups

SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
"""Settings of the kernel that kubelet changes."""


def sysctl(setting: str) -> str:
    """A setting as `name=value`."""
    return f"{setting}={(Path('/proc/sys') / setting).read_text().strip()}"


def _restore(setting: str) -> None:
    name, _, value = setting.partition("=")
    with suppress(OSError):
        (Path("/proc/sys") / name).write_text(value)


UNDO: dict[str, Callable[[str], None]] = {"cgroup": cgroups.remove, "sysctl": _restore}
