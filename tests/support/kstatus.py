"""What tools that wait for a resource make of it: the real kstatus of sigs.k8s.io/cli-utils."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any, NamedTuple

from .go_tools import go_tool


class Verdict(NamedTuple):
    """InProgress, Current, Failed, Terminating, NotFound or Unknown, and why."""

    word: str
    message: str


def verdicts(objects: Iterable[dict[str, Any]]) -> list[Verdict]:
    """The verdict on each object as an API server gives it."""
    lines = "".join(f"{json.dumps(obj)}\n" for obj in objects)
    program = go_tool("kstatus", ".", name="kstatus")
    done = subprocess.run([program], input=lines, text=True, capture_output=True, check=True, timeout=60)
    return [Verdict(*line.split("\t", 1)) for line in done.stdout.splitlines()]
