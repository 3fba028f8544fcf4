"""How many processors this process may really use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_NO_LIMIT = 1 << 16


def available_cpus(quota_file: Path = _QUOTA) -> int:
    """At least 1: OMP_NUM_THREADS where it is set, else the processors of this process, at most its container's share."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return max(1, min(len(os.sched_getaffinity(0)), _quota(quota_file)))


def _quota(file: Path) -> int:
    """Processors of a container's limit, cut to whole ones."""
    try:
        quota, period = file.read_text().split()[:2]
        return int(quota) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return _NO_LIMIT
