"""A run as it was read from a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from reflection_api.conditions import ConditionType
from reflection_api.resource import Metadata
from reflection_api.status import ReflectionTrainingStatus

from ..kube.known import read_run
from ..reconcile import raw
from ..reconcile.conditions import condition, has_ended, is_true
from ..reconcile.text import one_line
from .cluster import time_of
from .errors import RemoteError

_MAX_EVENT = 1024
_MAX_WORD = 128


class Seen(NamedTuple):
    """What the commands need of a run."""

    metadata: Metadata
    status: ReflectionTrainingStatus
    rounds: int
    max_restarts: int

    @property
    def ended(self) -> bool:
        return has_ended(self.status.conditions)

    @property
    def failed(self) -> bool:
        return self.ended and not is_true(self.status.conditions, ConditionType.SUCCEEDED)

    @property
    def why(self) -> str:
        """What its Ready condition says."""
        ready = condition(self.status.conditions, ConditionType.READY)
        return one_line(f"{ready.reason}: {ready.message}", 1024) if ready else "no operator has seen it yet"


class SeenEvent(NamedTuple):
    """What has happened to a run."""

    uid: str
    at: datetime | None
    type: str
    reason: str
    message: str


def seen(obj: Mapping[str, Any]) -> Seen:
    """What there is to see of a run.

    Raises:
        RemoteError: not even its metadata are understood.
    """
    stored = read_run(obj)
    if stored is None:
        raise RemoteError("the resource is not understood: it may be of a newer version than this program")
    spec = stored.resource.spec if stored.resource else None
    return Seen(
        metadata=stored.metadata,
        status=stored.status or ReflectionTrainingStatus(),
        rounds=spec.rounds if spec else 1,
        max_restarts=spec.failure_policy.max_restarts if spec else 0,
    )


def seen_event(obj: Mapping[str, Any]) -> SeenEvent:
    """An event. Anybody may post one, so what it says is made fit for a line."""
    return SeenEvent(
        uid=raw.text(raw.mapping(obj.get("metadata")).get("uid")),
        at=raw.time(time_of(obj)),
        type="Warning" if obj.get("type") == "Warning" else "Normal",
        reason=one_line(raw.text(obj.get("reason")), _MAX_WORD),
        message=one_line(raw.text(obj.get("message")), _MAX_EVENT),
    )
