"""Would the API server accept a change?"""

from __future__ import annotations

from typing import Any

from .check import schema_findings
from .problem import Problem, dotted


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
    return [Problem(file, None, dotted(finding.path), finding.message) for finding in findings]
