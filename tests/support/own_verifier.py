"""The service of examples/own-verifier as a process on a port of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples/own-verifier"


@contextmanager
def own_verifier(
    port: int = 0,
    *,
    command: Sequence[str | Path] = (sys.executable, EXAMPLE / "service.py"),
    environment: Mapping[str, str] = os.environ,
) -> Iterator[str]:
    """The address of the service, until the end of the block; it may be started in another way."""
    with subprocess.Popen(
        command,
        env={**environment, "PORT": str(port)},
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
