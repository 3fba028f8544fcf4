"""Would the API server accept a change?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .check import schema_findings
from .problem import Path, Problem, dotted, shown

_MAX_CHANGES = 3


def check_update(
    old: dict[str, Any], new: dict[str, Any], *, local: bool = False, file: str = "update"
) -> list[Problem]:
    """The problems of replacing one resource by another, changes of immutable fields included.

    Args:
        old: the resource as it is stored.
        new: the resource that is to take its place.
        local: allow `file://`.
        file: where the new one comes from, for messages.
    """
    findings = schema_findings(new, local=local, old=old)
    return [
        Problem(file, None, dotted(finding.path), f"{finding.message}{_changes(old, new, finding.path)}")
        for finding in findings
    ]


def _changes(old: dict[str, Any], new: dict[str, Any], path: Path) -> str:
    """What differs below a path: a rule on a whole section does not say which of its fields it was."""
    changes = list(_different(_at(old, path), _at(new, path), ()))
    named = [f"{dotted(where)} {shown(before)} -> {shown(after)}".strip() for where, before, after in changes]
    if len(named) > _MAX_CHANGES:
        named[_MAX_CHANGES:] = [f"{len(named) - _MAX_CHANGES} more"]
    return f" (changed: {', '.join(named)})" if named else ""


def _different(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _different(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path, old, new


def _at(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
