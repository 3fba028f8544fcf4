"""How long a run may take: active altogether, and waiting for its pods to start."""

from __future__ import annotations

from datetime import datetime, timedelta

from reflection_api.conditions import ConditionType
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus, Verdict

from .conditions import condition
from .cursor import Here, passed
from .hindrance import blocking
from .observed import Observed, ObservedJob, PodPhase
from .step import failed


def exceeded(run: Observed, status: ReflectionTrainingStatus, here: Here) -> Verdict | None:
    """The end of a run whose time is over; None while it is not. Never while it is to be suspended."""
    if run.resource.spec.suspend:
        return None
    reason = _which(run, status, here)
    if reason is None:
        return None
    if status.verdict:
        # Only the report is missing: the time that it takes does not change the result.
        return status.verdict
    if reason is Reason.DEADLINE_EXCEEDED:
        seconds = run.resource.spec.active_deadline_seconds
        words = (
            f"the run was active for {seconds} s (spec.activeDeadlineSeconds) and is at {here.cursor.stage}"
        )
    else:
        seconds = run.resource.spec.pending_deadline_seconds
        words = f"pods of {here.cursor.stage} were pending for {seconds} s (spec.pendingDeadlineSeconds)"
    hindrance = blocking(here)
    return failed(run, reason, f"{words} of round {here.cursor.round}", hindrance.cause if hindrance else "")


def time_to_deadline(run: Observed, status: ReflectionTrainingStatus, here: Here) -> timedelta | None:
    """Time until the next deadline that can strike as things are; None where there is none."""
    if run.resource.spec.suspend:
        return None
    ends = (_active_until(run, status), _pending_until(run, status, here))
    return min((end - run.now for end in ends if end), default=None)


def _which(run: Observed, status: ReflectionTrainingStatus, here: Here) -> Reason | None:
    for reason, end in (
        (Reason.DEADLINE_EXCEEDED, _active_until(run, status)),
        (Reason.PENDING_DEADLINE_EXCEEDED, _pending_until(run, status, here)),
    ):
        if end and run.now >= end:
            return reason
    return None


def _active_until(run: Observed, status: ReflectionTrainingStatus) -> datetime | None:
    seconds = run.resource.spec.active_deadline_seconds
    return status.start_time + timedelta(seconds=seconds) if seconds and status.start_time else None


def _pending_until(run: Observed, status: ReflectionTrainingStatus, here: Here) -> datetime | None:
    """Counted from when the Job may start pods, so that time in a queue is not pending, nor what a lost pod was at work."""
    seconds, job = run.resource.spec.pending_deadline_seconds, here.job
    if not seconds or job is None or not here.live or job.suspended:
        return None
    since = _pending_since(run, status, here, job)
    return max(since, job.started_at or job.created_at) + timedelta(seconds=seconds) if since else None


def _pending_since(
    run: Observed, status: ReflectionTrainingStatus, here: Here, job: ObservedJob
) -> datetime | None:
    """When what the attempt waits for began to be missing: a training needs all its nodes, another stage begins with one pod.

    A run must not end because its pods are not seen (yet): without them only what the API server has said against them counts,
    from when the status has told so.
    """
    pending = [pod.created_at or job.created_at for pod in here.pods if pod.phase is PodPhase.PENDING]
    if here.pods:
        waits = here.cursor.stage is Stage.TRAIN or len(pending) == len(here.pods)
        return min(pending, default=None) if waits else None
    ready = condition(status.conditions, ConditionType.READY)
    if not (job.pods_refused and ready and ready.status == "False"):
        return None
    return passed(ready.last_transition_time, run.now)
