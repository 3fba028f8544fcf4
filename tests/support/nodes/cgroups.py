"""The kernel's groups that a node's pods are put into: made before kubelet starts, removed when all is over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from reflection_trainer.train.oom import KillCounter

_ROOT = Path("/sys/fs/cgroup")
_EMPTY_LIMIT_S = 10
_KILLED_LIMIT_S = 120
_MEMORY = (
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control"),
    ("memory.max", "memory.current", "memory.events"),
)
"""Limit, use and count of kills, in version 1 and 2."""
_GUEST = "import sys; open(sys.argv[1], 'w').write('0'); b'1' * (1 << 28)"


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


def exhaust_memory(name: str, part: str) -> None:
    """Have the kernel kill the largest process in the group below `name` that is called like this, for want of memory.

    The group is left what it has, and a guest wants more.
    """
    limit, used, counts = _memory_files(name, part)
    before, kills = limit.read_text(), KillCounter(counts)
    guest = [sys.executable, "-S", "-c", _GUEST, limit.with_name("cgroup.procs")]
    deadline = time.monotonic() + _KILLED_LIMIT_S
    try:
        # The group may go with its last process.
        while counts.exists() and not kills.killed():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{limit}: {limit.read_text()} bytes, and nobody was killed for them")
            # The kernel refuses where the group has grown meanwhile.
            with suppress(OSError):
                limit.write_text(used.read_text())
            subprocess.run(guest, check=False)
    finally:
        with suppress(OSError):
            limit.write_text(before)


def _memory_files(name: str, part: str) -> list[Path]:
    for hierarchy in hierarchies():
        for folder in (hierarchy / name).rglob(part):
            for names in _MEMORY:
                if (folder / names[0]).exists():
                    return [folder / each for each in names]
    raise FileNotFoundError(f"no group {part} below {name} counts memory")


def hierarchies() -> list[Path]:
    """One for each controller, or one for all (cgroup v2)."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [folder for folder in _ROOT.iterdir() if (folder / "cgroup.procs").exists()]
