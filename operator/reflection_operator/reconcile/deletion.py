"""A resource that is being deleted although its artefacts are to go first (`deletionPolicy: Delete`).

A finalizer holds it until a Job has deleted the run's folder in the storage: with the run's own keys, since the operator has
none. That is tried for as long as it takes; whoever does not want to wait sets the policy to Retain. Without that policy there
is no finalizer, and nothing here has a say.
"""

from __future__ import annotations

from datetime import timedelta

from reflection_api.conditions import ConditionType
from reflection_api.layout import run_uri
from reflection_api.reasons import MEANINGS, EventReason, Reason
from reflection_api.resource import GROUP, Metadata, ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import AttemptRecord, Cursor, Phase, ReflectionTrainingStatus

from .conditions import Wanted, condition, replaced
from .cursor import Here, can_be_at, first_attempt, locate, own_jobs
from .decision import Attempt, Decision, EventRecord
from .ending import superseded
from .failure import diagnose
from .hindrance import blocking
from .observed import JobState, Observed
from .restart import time_to_retry, tried_again
from .results import metrics_of, results
from .schedule import RESYNC, SETTLING, earliest
from .settle import SOON, pods_late
from .situation import refused, waiting_for
from .size import fitting
from .text import many, one_line, sentence

FINALIZER = f"{GROUP}/delete-artifacts"
WAY_OUT = "to let the resource go and keep the artefacts, set spec.deletionPolicy to Retain"
_MAX_MESSAGE = 1900
_MAX_EVENT = 1000


def finalizers(resource: ReflectionTraining) -> list[str]:
    """The finalizers that a resource should have: those of others as they are."""
    if resource.metadata.deletion_timestamp is not None or not resource.spec.is_ours:
        # None can be added to a resource that is being deleted, and ours goes when its work is done.
        return resource.metadata.finalizers
    others = without_ours(resource)
    return [*others, FINALIZER] if resource.spec.deletion_policy == "Delete" else others


def without_ours(resource: ReflectionTraining) -> list[str]:
    """The finalizers of others."""
    return [name for name in resource.metadata.finalizers if name != FINALIZER]


def is_held(metadata: Metadata) -> bool:
    """Whether a resource is being deleted and waits for us."""
    return metadata.deletion_timestamp is not None and FINALIZER in metadata.finalizers


def while_held(run: Observed) -> Decision:
    """Stop what is alive, have the artefacts deleted, let go."""
    old = run.resource.status or ReflectionTrainingStatus()
    if run.resource.spec.deletion_policy != "Delete":
        return _let_go(run)
    here = locate(run, old.model_copy(update={"current": _cursor(run, old)}))
    status = old.model_copy(update={"current": here.cursor})
    job = here.job
    if job and job.state is not JobState.ACTIVE:
        if pods_late(run, job, here.pods):
            return Decision(run.resource.status, look_again=SOON)
        if job.state is JobState.COMPLETE:
            return _let_go(run, _deleted(run, here))
        status = tried_again(status, here.cursor, diagnose(job, here.pods), run.now)
        here = locate(run, status)
    return _go_on(run, old, status, here)


def _cursor(run: Observed, status: ReflectionTrainingStatus) -> Cursor:
    """The clean-up's own, from the first look on: whatever else there is, is then of an earlier attempt."""
    if status.current and status.current.stage is Stage.CLEANUP and can_be_at(run, status.current):
        return status.current
    return first_attempt(run.resource.spec.rounds, Stage.CLEANUP)


def _let_go(run: Observed, *events: EventRecord) -> Decision:
    ours = tuple(job.name for job in own_jobs(run) if job.stage is Stage.CLEANUP and not job.deleting)
    return Decision(run.resource.status, delete=ours, events=events, let_go=True)


def _go_on(
    run: Observed, old: ReflectionTrainingStatus, status: ReflectionTrainingStatus, here: Here
) -> Decision:
    at, wait = here.cursor, time_to_retry(here.cursor, run.now)
    due = here.job is None and not here.others_alive and wait <= timedelta(0)
    reason, message = _situation(run, status, here)
    wanted = (
        Wanted(ConditionType.READY, "False", reason, message),
        Wanted(ConditionType.RECONCILING, "True", reason, message),
    )
    generation = run.resource.metadata.generation
    status = fitting(
        status.model_copy(
            update={
                "observed_generation": generation,
                "phase": Phase.DELETING,
                "conditions": replaced(old.conditions, generation, run.now, *wanted),
            }
        )
    )
    return Decision(
        status,
        create=(Attempt(at.round, at.stage, at.attempt, at.restarts),) if due else (),
        delete=superseded(here),
        events=_events(old, status),
        look_again=earliest(wait or None, SETTLING if here.job is None else RESYNC),
    )


def _situation(run: Observed, status: ReflectionTrainingStatus, here: Here) -> tuple[Reason | str, str]:
    """What is waited for, and what went wrong the last time."""
    doing = f"deleting everything below {folder(run.resource)}"
    if here.job is None and (refusal := refused(run, here, doing)):
        return refusal.reason, _held_up(refusal.message)
    if hindrance := blocking(here):
        return hindrance.reason, _held_up(f"{doing}: {hindrance.message}")
    if here.others_alive:
        return Reason.DELETING, sentence(f"{doing} when the run has stopped", waiting_for(here))
    last = _last_failure(status)
    if last is None:
        return Reason.DELETING, doing
    begins = f", attempt {here.cursor.attempt}"
    if here.cursor.retry_at and time_to_retry(here.cursor, run.now) > timedelta(0):
        begins += f" at {here.cursor.retry_at:%H:%M:%S} UTC"
    return last.reason, _held_up(f"{doing}{begins}", last.message, _remedy(last))


def _held_up(*words: str) -> str:
    return one_line(sentence(*words, WAY_OUT), _MAX_MESSAGE)


def _last_failure(status: ReflectionTrainingStatus) -> AttemptRecord | None:
    last = status.attempts[-1] if status.attempts else None
    return last if last and last.stage is Stage.CLEANUP else None


def _remedy(record: AttemptRecord) -> str:
    known = record.reason in list(Reason)
    return MEANINGS[Reason(record.reason)].cure() if known else ""


def _events(old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> tuple[EventRecord, ...]:
    """Once that it begins, and once each time that something else is in the way or has failed."""
    before, now = (condition(each.conditions, ConditionType.READY) for each in (old, new))
    if now is None or (before and before.reason == now.reason and old.attempts == new.attempts):
        return ()
    words = one_line(now.message, _MAX_EVENT)
    if now.reason == Reason.DELETING:
        return (EventRecord("Normal", now.reason, words),)
    return (EventRecord("Warning", now.reason, words),)


def _deleted(run: Observed, here: Here) -> EventRecord:
    parts = results(here.job, here.pods) if here.job else None
    count = metrics_of(Stage.CLEANUP, parts).get("objects") if parts else None
    words = "everything" if count is None else many(count, "object")
    return EventRecord("Normal", EventReason.ARTIFACTS_DELETED, f"{words} below {folder(run.resource)}")


def folder(resource: ReflectionTraining) -> str:
    """Where the artefacts are."""
    metadata = resource.metadata
    return run_uri(resource.spec.storage.uri, metadata.namespace, metadata.name, metadata.uid)
