"""Whether the kernel killed a process of this container for memory. Linux tells by counters, not to the parent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_MEMBERSHIP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_WHOLE_MACHINE = Path("/proc/vmstat")


class KillCounter:
    """Counts kills from its creation on."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or counter_file()
        self._before = self._read()

    def killed(self) -> bool:
        """Whether there was one since."""
        return self._read() > self._before

    def _read(self) -> int:
        try:
            match = _COUNT.search(self._file.read_text())
        except OSError:
            return 0
        return int(match[1]) if match else 0


def counter_file(
    membership: Path = _MEMBERSHIP, cgroups: Path = _CGROUPS, whole_machine: Path = _WHOLE_MACHINE
) -> Path:
    """The counter of this process's own control group (version 2 or 1), else the machine's."""
    return next((file for file in _candidates(membership, cgroups) if file.is_file()), whole_machine)


def _candidates(membership: Path, cgroups: Path) -> Iterator[Path]:
    """Files that may hold the counter. In a container the group's own folder is often the root of what is mounted."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        for group in (path.lstrip("/"), ""):
            if hierarchy == "0":
                yield cgroups / group / "memory.events"
            elif "memory" in controllers.split(","):
                yield cgroups / "memory" / group / "memory.oom_control"
