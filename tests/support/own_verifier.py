"""The service of examples/own-verifier as a process on a port of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples/own-verifier"


@contextmanager
def own_verifier(port: int = 0) -> Iterator[str]:
    """The address of the service, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, EXAMPLE / "service.py"],
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:3] == ["listening", "on", "port"], words
            yield f"http://127.0.0.1:{words[3]}"
        finally:
            process.terminate()
            assert process.wait(30) == 0
