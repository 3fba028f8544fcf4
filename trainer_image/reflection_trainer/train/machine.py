"""What the last bits of a sum depend on besides its numbers: the kind of processor, and how many threads share the work."""

from __future__ import annotations

import platform
from pathlib import Path

from ..cpus import available_cpus
from .order import write_file

_FILE = "machine.txt"
_CPUS = Path("/proc/cpuinfo")
_GENERATION = ("cpu family", "model", "CPU implementer", "CPU part")
"""Of x86 and of Arm: a virtual machine's name of its processor often is the same for years of them."""


def threads_of_each(processes: int) -> int:
    """Threads of each of so many processes: more that wait for each other's cores make a training several times slower."""
    return max(1, available_cpus() // processes)


def this_machine(threads: int) -> str:
    """In words."""
    return f"{threads} thread{'s' if threads > 1 else ''} of {_processor()}"


def note_machine(checkpoint: Path) -> None:
    """Leave in a checkpoint what this training process computes with."""
    write_file(checkpoint / _FILE, this_machine(available_cpus()) + "\n")


def noted_machine(checkpoint: Path) -> str:
    """What the training of a checkpoint computed with; empty where it is not told."""
    try:
        return (checkpoint / _FILE).read_text().strip()
    except OSError:
        return ""


def _processor() -> str:
    try:
        lines = _CPUS.read_text().splitlines()
    except OSError:
        lines = []
    told: dict[str, str] = {}
    for line in lines:  # of the first processor
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    kind = ", ".join(f"{name.removeprefix('cpu ')} {told[name]}" for name in _GENERATION if name in told)
    return (told.get("model name") or platform.machine()) + (f" ({kind})" if kind else "")
