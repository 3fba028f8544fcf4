"""The progress of a stage as one number: the sum over its pods."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from reflection_api.contract import ProgressReport


def merged(reports: Sequence[Any]) -> ProgressReport | None:
    """One report for all pods of a Job: counts add up, the slowest pod says how long it takes."""
    valid = []
    for report in reports:
        with contextlib.suppress(ValidationError):
            valid.append(ProgressReport.model_validate(report))
    if not valid:
        return None
    remaining = [report.remaining_seconds for report in valid if report.remaining_seconds is not None]
    newest = max(valid, key=lambda report: report.updated_at)
    return newest.model_copy(
        update={
            "index": 0,
            "done": sum(report.done for report in valid),
            "total": sum(report.total for report in valid),
            "remaining_seconds": max(remaining, default=None),
            "metrics": valid[0].metrics,
        }
    )
