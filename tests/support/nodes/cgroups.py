"""The kernel's groups that a node's pods are put into: made before kubelet starts, removed when all is over."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_EMPTY_LIMIT_S = 10


def make(name: str) -> None:
    """Make a group of our own in every hierarchy of this machine."""
    for hierarchy in hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        # A new group of processors and memory has none, and takes no process.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (folder / file).exists() and hierarchy.name == "cpuset":
                (folder / file).write_text((hierarchy / file).read_text())


def remove(name: str) -> None:
    """Remove it and the groups below from every hierarchy, once their last processes have ended."""
    deadline = time.monotonic() + _EMPTY_LIMIT_S
    while left := [hierarchy / name for hierarchy in hierarchies() if (hierarchy / name).exists()]:
        for top in left:
            for folder in sorted(top.rglob("*/"), key=lambda each: -len(each.parts)):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                top.rmdir()
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def processes(name: str, part: str) -> set[int]:
    """Processes in the groups below it that have this in their path, a pod's uid for example."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, files in os.walk(hierarchy / name):
            if part in folder and "cgroup.procs" in files:
                # A group may go while it is looked at.
                with suppress(OSError):
                    found |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
    return found


def hierarchies() -> list[Path]:
    """One for each controller, or one for all (cgroup v2)."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [folder for folder in _ROOT.iterdir() if (folder / "cgroup.procs").exists()]
