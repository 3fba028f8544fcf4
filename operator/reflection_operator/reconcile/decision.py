"""What is to be done now, and how whoever carries it out must do it.

1. Write `status` if it differs from what was read, with the resourceVersion that was read as a precondition. Where that
   conflicts, or where `create` is not empty and the resourceVersion is no longer the current one, drop the whole decision
   and observe again: the status is the memory, and only a decision on the newest one may act.
2. Delete the Jobs in `delete` with their pods (background propagation), each with the resourceVersion seen as precondition.
   One that is gone or has changed is no error: the next look sees it.
3. Create the children of `create`. One that exists already is no error if the resource owns it.
4. Post `events`. They follow from the change of the status alone: a crash before this point loses them and repeats none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """A Job that should exist."""

    round: int
    stage: Stage
    attempt: int
    restarts: int
    """Goes into the Job's annotation, so that the count survives the loss of the status."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event to post about the resource."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now."""

    status: ReflectionTrainingStatus | None
    """None only where there is none and none is to be written."""
    create: tuple[Attempt, ...] = ()
    delete: tuple[str, ...] = ()
    """Names of Jobs."""
    events: tuple[EventRecord, ...] = ()
    look_again: timedelta | None = None
    """Decide again after this time even if nothing is seen to change; None: only when something changes."""
    delete_resource: bool = False
    """The resource has outlived its ttlSecondsAfterFinished."""
    let_go: bool = False
    """The resource is being deleted, and what our finalizer held it for is done: take the finalizer off, last of all."""
