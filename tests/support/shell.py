"""Commands of a page, in a shell whose `reflect` and `python` are those of this environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REFLECT = [sys.executable, "-c", "from reflection_operator.cli.main import app; app(prog_name='reflect')"]
"""The command `reflect`, without a shell."""


def in_shell(
    script: str, folder: Path, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run a script of bash; what it prints, errors as well, is in `stdout`."""
    path = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
