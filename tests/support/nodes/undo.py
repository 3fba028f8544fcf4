"""What nodes change on this machine beyond their namespaces, and how it is undone: by whoever stops them, or the next one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from . import cgroups
from .init import OWN

SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Settings of the kernel that kubelet changes."""


def changes() -> list[tuple[str, str]]:
    """What any machine of a cluster changes, each as a key of `UNDO` and its argument."""
    # What is mounted there is a machine's own; the place to mount it at is not.
    missing = [folder for folder in OWN if not Path(folder).exists()]
    return [("sysctl", sysctl(setting)) for setting in SYSCTLS] + [("folder", folder) for folder in missing]


def sysctl(setting: str) -> str:
    """A setting as `name=value`."""
    return f"{setting}={(Path('/proc/sys') / setting).read_text().strip()}"


def _restore(setting: str) -> None:
    name, _, value = setting.partition("=")
    with suppress(OSError):
        (Path("/proc/sys") / name).write_text(value)


def _remove_empty(folder: str) -> None:
    with suppress(OSError):
        Path(folder).rmdir()


UNDO: dict[str, Callable[[str], None]] = {
    "cgroup": cgroups.remove,
    "folder": _remove_empty,
    "sysctl": _restore,
}
