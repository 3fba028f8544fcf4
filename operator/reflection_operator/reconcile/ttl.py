"""How long a finished resource is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from reflection_api.spec import ReflectionTrainingSpec
from reflection_api.status import ReflectionTrainingStatus


def time_left(
    spec: ReflectionTrainingSpec, status: ReflectionTrainingStatus, now: datetime
) -> timedelta | None:
    """Time until a finished resource is to be deleted, zero or less when it is over; None: it is kept."""
    seconds = spec.ttl_seconds_after_finished
    if seconds is None or status.completion_time is None:
        return None
    return status.completion_time + timedelta(seconds=seconds) - now
