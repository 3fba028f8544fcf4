"""What is wrong with a resource, and where."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""Keys and list indices from the top of the resource."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MAX_SHOWN = 60


class Problem(NamedTuple):
    """One thing that is wrong, as one line: `file:line: field: value problem; remedy`."""

    file: str
    line: int | None
    field: str
    """For example spec.training.maxSteps; empty where the file itself is meant."""
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.field, self.message) if part)


class Finding(NamedTuple):
    """A problem before its place in the file is looked up."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """The path as people write it: spec.pods.common.env[0]."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def shown(value: Any) -> str:
    """A value as it would stand in JSON, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
