"""What to tell about a change, from the old and the new status alone.

So an event is posted once per change, never again for the same one, and is lost at most where the operator dies between
writing the status and posting it.
"""

from __future__ import annotations

from collections.abc import Iterator

from reflection_api.conditions import ConditionType
from reflection_api.reasons import EventReason
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import AttemptRecord, Cursor, ReflectionTrainingStatus

from . import milestones
from .conditions import became_true, condition, has_ended, is_true
from .decision import EventRecord
from .restart import what_is_kept
from .text import one_line, sentence

_MAX_MESSAGE = 1000
"""Bytes; the API server refuses more than 1,024."""


def events(
    resource: ReflectionTraining, old: ReflectionTrainingStatus, new: ReflectionTrainingStatus
) -> tuple[EventRecord, ...]:
    """The events of a change, in the order in which a reader understands them."""
    found = (
        *_accepted(resource, old, new),
        *milestones.results(old, new),
        *_restarted(resource, old, new),
        *_paused(old, new),
        *milestones.started(resource, old, new),
        *_hindered(old, new),
        *_ended(old, new),
    )
    return tuple(EventRecord(each.type, each.reason, one_line(each.message, _MAX_MESSAGE)) for each in found)


def _accepted(
    resource: ReflectionTraining, old: ReflectionTrainingStatus, new: ReflectionTrainingStatus
) -> Iterator[EventRecord]:
    if new.observed_generation != old.observed_generation and not has_ended(old.conditions):
        at = new.current.round if new.current else 1
        words = f"generation {new.observed_generation} accepted; round {at} of {resource.spec.rounds}"
        yield EventRecord("Normal", EventReason.ACCEPTED, words)


def _restarted(
    resource: ReflectionTraining, old: ReflectionTrainingStatus, new: ReflectionTrainingStatus
) -> Iterator[EventRecord]:
    failed = new.attempts[-1] if new.attempts else None
    known = [_attempt(each) for each in old.attempts]
    if failed is None or _attempt(failed) in known:
        return
    if not has_ended(new.conditions) and new.current:
        words = sentence(
            failed.message, what_is_kept(new.current, new.checkpoint, resource.spec.training.max_steps)
        )
        yield EventRecord(
            "Warning", EventReason.ATTEMPT_RESTARTED, sentence(words, _counted(resource, failed, new.current))
        )
    elif failed.stage is Stage.REPORT:
        yield EventRecord(
            "Warning", failed.reason, sentence(failed.message, "the result itself is not affected")
        )


def _counted(resource: ReflectionTraining, failed: AttemptRecord, current: Cursor) -> str:
    limit = resource.spec.failure_policy.max_restarts
    return f"restart {current.restarts} of {limit}" if failed.counted else "not counted as a restart"


def _paused(old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> Iterator[EventRecord]:
    if became_true(ConditionType.SUSPENDED, old, new):
        yield EventRecord("Normal", EventReason.SUSPENDED, _ready_message(new))
    if is_true(old.conditions, ConditionType.SUSPENDED) and not is_true(
        new.conditions, ConditionType.SUSPENDED
    ):
        yield EventRecord("Normal", EventReason.RESUMED, _ready_message(new))
    if became_true(ConditionType.QUEUED, old, new):
        yield EventRecord("Normal", EventReason.QUEUED, _ready_message(new))


def _hindered(old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> Iterator[EventRecord]:
    if has_ended(new.conditions):
        return
    before, now = (
        condition(each.conditions, ConditionType.RECONCILING)
        or condition(each.conditions, ConditionType.STALLED)
        for each in (old, new)
    )
    if now and now.reason != EventReason.SUSPENDED and (before is None or before.reason != now.reason):
        yield EventRecord("Warning", now.reason, now.message)


def _ended(old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> Iterator[EventRecord]:
    if not has_ended(new.conditions) or has_ended(old.conditions) or new.verdict is None:
        return
    if new.verdict.succeeded:
        yield EventRecord("Normal", EventReason.SUCCEEDED, f"{new.verdict.reason}: {new.verdict.message}")
    else:
        yield EventRecord("Warning", EventReason.FAILED, f"{new.verdict.reason}: {new.verdict.message}")


def _ready_message(status: ReflectionTrainingStatus) -> str:
    ready = condition(status.conditions, ConditionType.READY)
    return ready.message if ready else ""


def _attempt(record: AttemptRecord) -> tuple[int, Stage, int]:
    return record.round, record.stage, record.attempt
