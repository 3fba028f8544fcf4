"""What follows a failed attempt: another one after a wait, or the end of the run.

An attempt at training resumes from the last checkpoint and the other stages skip the shards that are finished, so that
trying again loses little. What would only fail again (bad data, bad configuration, a broken check) is not tried again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reflection_api.reasons import MEANINGS, Reason
from reflection_api.stages import Stage
from reflection_api.status import (
    AttemptRecord,
    CheckpointStatus,
    Cursor,
    ReflectionTrainingStatus,
    VerifierStatus,
)

from .cursor import next_attempt
from .failure import Failure
from .observed import Observed
from .step import Step, failed
from .text import one_line, sentence
from .verdict import verdict_of

MAX_BACKOFF = timedelta(minutes=5)
_FIRST_BACKOFF = timedelta(seconds=10)
_FIRST_BACKOFF_DEPENDENCY = timedelta(seconds=60)
_MAX_DOUBLINGS = 10
_RECORDS_KEPT = 5
_MAX_RECORD = 480


def after_failure(run: Observed, status: ReflectionTrainingStatus, at: Cursor, failure: Failure) -> Step:
    """The step after a failed attempt."""
    # A run that lost its cursor comes here by an attempt that it has been through: what is on record decides as it did then.
    failure = _on_record(status, at) or failure
    limit = run.resource.spec.failure_policy.max_restarts
    exhausted = failure.counted and at.restarts >= limit
    if not (failure.final or exhausted):
        return Step(tried_again(status, at, failure, run.now))
    status = _noted(status, at, failure, run.now)
    if at.stage is Stage.REPORT:
        # The result is known and kept: a report that cannot be written does not change it.
        return Step(status, ending=verdict_of(run, status))
    if failure.final:
        return Step(status, ending=failed(run, failure.reason, failure.message))
    return Step(status, ending=failed(run, Reason.MAX_RESTARTS_REACHED, _exhausted(run, at, failure)))


def backoff(failure: Failure, restarts: int) -> timedelta:
    """The wait before the attempt that follows `restarts` counted failures, this one included."""
    if not failure.counted:
        return _FIRST_BACKOFF
    first = _FIRST_BACKOFF_DEPENDENCY if failure.dependency_away else _FIRST_BACKOFF
    doublings = max(0, min(restarts - 1, _MAX_DOUBLINGS))
    return min(first * (1 << doublings), MAX_BACKOFF)


def time_to_retry(cursor: Cursor, now: datetime) -> timedelta:
    """What is left of the wait; zero when it is over. A wait longer than the longest one comes from a clock set back."""
    left = cursor.retry_at - now if cursor.retry_at else timedelta(0)
    return left if timedelta(0) < left <= MAX_BACKOFF else timedelta(0)


def what_is_kept(at: Cursor, checkpoint: CheckpointStatus | None, max_steps: int) -> str:
    """What the next attempt need not do again."""
    if at.stage is Stage.TRAIN:
        if checkpoint and f"/round-{at.round}/" in checkpoint.uri:
            return f"attempt {at.attempt} resumes from step {checkpoint.step} of {max_steps}"
        return f"attempt {at.attempt} starts from the newest checkpoint, or from step 0 if there is none yet"
    return f"attempt {at.attempt} skips the shards that are finished"


def tried_again(
    status: ReflectionTrainingStatus, at: Cursor, failure: Failure, now: datetime
) -> ReflectionTrainingStatus:
    """The status of a run whose failed attempt is followed by another one."""
    restarts = at.restarts + failure.counted
    cursor = next_attempt(at, restarts=restarts, retry_at=now + backoff(failure, restarts))
    total = status.restarts + (record_of(status, at) is None)
    return _noted(status, at, failure, now).model_copy(update={"current": cursor, "restarts": total})


def record_of(status: ReflectionTrainingStatus, at: Cursor) -> AttemptRecord | None:
    """What is on record of an attempt that did not succeed."""
    same = (
        each
        for each in status.attempts
        if (each.round, each.stage, each.attempt) == (at.round, at.stage, at.attempt)
    )
    return next(same, None)


def _on_record(status: ReflectionTrainingStatus, at: Cursor) -> Failure | None:
    record = record_of(status, at)
    if record is None or record.reason not in list(Reason):
        return None
    return Failure(
        Reason(record.reason), record.message, record.exit_code, record.pod, record.node, record.finished_at
    )


def _noted(
    status: ReflectionTrainingStatus, at: Cursor, failure: Failure, now: datetime
) -> ReflectionTrainingStatus:
    note = AttemptRecord(
        round=at.round,
        stage=at.stage,
        attempt=at.attempt,
        reason=failure.reason,
        message=one_line(failure.message, _MAX_RECORD),
        exit_code=failure.exit_code,
        pod=failure.pod,
        node=failure.node,
        counted=failure.counted,
        finished_at=failure.finished_at or now,
    )
    records = status.attempts if record_of(status, at) else [*status.attempts, note]
    update: dict[str, Any] = {"attempts": records[-_RECORDS_KEPT:]}
    if failure.audit:
        update["verifier"] = VerifierStatus(audit=failure.audit)
    return status.model_copy(update=update)


def _exhausted(run: Observed, at: Cursor, failure: Failure) -> str:
    times = "once" if at.restarts == 0 else f"{at.restarts + 1} times"
    limit = run.resource.spec.failure_policy.max_restarts
    what = f"{at.stage} of round {at.round} failed {times} and maxRestarts is {limit}"
    cure = MEANINGS[failure.reason].cure(run.begin_again)
    return sentence(what, f"the last time {failure.reason}: {failure.message}", cure)
