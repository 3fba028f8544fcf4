"""A clock that is wrong in one pod and right in all others, though they share that of the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..cluster import Obj
from .images import ROOT

_SOURCE = Path(__file__).with_name("skewed_clock.c")
_LIBRARY = ROOT / "build/cluster/skewed_clock.so"
"""Within the checkout, which every pod of a stage has at the place it has here."""


def with_clock(skew_s: int) -> list[Obj]:
    """Variables of a container whose clock is ahead by so many seconds, or behind. Without a C compiler the test is skipped."""
    if not shutil.which("cc"):
        pytest.skip(
            "cc: no C compiler is installed (Debian: apt-get install gcc libc6-dev), and a wrong clock takes one"
        )
    _LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", _LIBRARY, _SOURCE, "-ldl"], check=True)
    return [
        {"name": "LD_PRELOAD", "value": str(_LIBRARY)},
        {"name": "CLOCK_SKEW_S", "value": str(skew_s)},
    ]
