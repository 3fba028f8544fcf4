"""From batch/v1 Jobs and v1 Pods, as an API server gives them, to what decisions need.

Labels can be put on any object by anybody: what cannot be a child of ours is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from reflection_api.spec.fields import MAX_INT32
from reflection_api.stages import Stage

from ..children.labels import (
    ATTEMPT_LABEL,
    JOB_NAME_LABEL,
    RESTARTS_ANNOTATION,
    ROUND_LABEL,
    STAGE_CONTAINER,
    STAGE_LABEL,
)
from . import raw
from .observed import JobState, ObservedJob, ObservedPod, PodPhase, Restarted, Terminated, Waiting

_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = ("batch/v1", "Job")
_MAX_ROUND = 10
_MAX_ATTEMPT = 1_000_000
_NOT_A_PROBLEM = ("ContainerCreating", "PodInitializing")


def job_from_object(obj: Mapping[str, Any]) -> ObservedJob | None:
    """The Job in an API object; None where its labels are not those of an attempt."""
    metadata, spec, status = (raw.mapping(obj.get(part)) for part in ("metadata", "spec", "status"))
    labels, annotations = raw.mapping(metadata.get("labels")), raw.mapping(metadata.get("annotations"))
    name, created_at = raw.text(metadata.get("name")), raw.time(metadata.get("creationTimestamp"))
    round_number = raw.digits(labels.get(ROUND_LABEL), most=_MAX_ROUND)
    attempt = raw.digits(labels.get(ATTEMPT_LABEL), most=_MAX_ATTEMPT)
    stage = _stage(labels.get(STAGE_LABEL))
    if not (name and created_at and stage and round_number and attempt):
        return None
    state, condition = _job_state(status)
    return ObservedJob(
        name=name,
        uid=raw.text(metadata.get("uid")),
        round=round_number,
        stage=stage,
        attempt=attempt,
        restarts=raw.digits(annotations.get(RESTARTS_ANNOTATION)) or 0,
        created_at=created_at,
        owners=tuple(raw.text(owner.get("uid")) for owner in raw.mappings(metadata.get("ownerReferences"))),
        completions=raw.whole(spec.get("completions"), least=1),
        active=raw.whole(status.get("active"), least=0),
        state=state,
        reason=raw.text(condition.get("reason")),
        message=raw.text(condition.get("message")),
        suspended=spec.get("suspend") is True,
        deleting=metadata.get("deletionTimestamp") is not None,
        started_at=raw.time(status.get("startTime")),
        finished_at=raw.time(status.get("completionTime")) or raw.time(condition.get("lastTransitionTime")),
    )


def pod_from_object(obj: Mapping[str, Any]) -> ObservedPod | None:
    """The pod in an API object; None where it neither is a Job's nor says so.

    Labels alone make it no pod of a Job: without an owner its Job may have been deleted and have left it at work.
    """
    metadata, spec, status = (raw.mapping(obj.get(part)) for part in ("metadata", "spec", "status"))
    labels, annotations = raw.mapping(metadata.get("labels")), raw.mapping(metadata.get("annotations"))
    name, (job_name, job_uid) = raw.text(metadata.get("name")), _job_of(metadata, labels)
    if not (name and job_name):
        return None
    conditions = list(raw.mappings(status.get("conditions")))
    # The stage's own container speaks first; a sidecar or an init container only where it has nothing to say.
    containers = sorted(
        raw.mappings(status.get("containerStatuses")), key=lambda item: item.get("name") != STAGE_CONTAINER
    )
    containers += raw.mappings(status.get("initContainerStatuses"))
    return ObservedPod(
        name=name,
        job_name=job_name,
        job_uid=job_uid,
        index=raw.digits(annotations.get(_INDEX)) or raw.digits(labels.get(_INDEX)) or 0,
        created_at=raw.time(metadata.get("creationTimestamp")),
        phase=_phase(status.get("phase")),
        node=raw.text(spec.get("nodeName")) or None,
        unschedulable=_unschedulable(conditions),
        disrupted=_disrupted(conditions),
        deleting=metadata.get("deletionTimestamp") is not None,
        reason=raw.text(status.get("reason")),
        message=raw.text(status.get("message")),
        waiting=_waiting(containers),
        terminated=_terminated(containers, _phase(status.get("phase"))),
        restarted=_restarted(containers),
    )


def _job_state(status: Mapping[str, Any]) -> tuple[JobState, Mapping[str, Any]]:
    ends = {"Complete": JobState.COMPLETE, "Failed": JobState.FAILED}
    for condition in raw.mappings(status.get("conditions")):
        kind = raw.text(condition.get("type"))
        if condition.get("status") == "True" and kind in ends:
            return ends[kind], condition
    return JobState.ACTIVE, {}


def _unschedulable(conditions: Iterable[Mapping[str, Any]]) -> str | None:
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return raw.text(condition.get("message")) or "no node fits"
    return None


def _disrupted(conditions: Iterable[Mapping[str, Any]]) -> str | None:
    for condition in conditions:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            words = (raw.text(condition.get("reason")), raw.text(condition.get("message")))
            return ": ".join(word for word in words if word) or "disrupted"
    return None


def _waiting(containers: Iterable[Mapping[str, Any]]) -> Waiting | None:
    for container in containers:
        waiting = raw.mapping(raw.mapping(container.get("state")).get("waiting"))
        reason = raw.text(waiting.get("reason"))
        if reason and reason not in _NOT_A_PROBLEM:
            last = _end_in(raw.mapping(container.get("lastState")))
            return Waiting(reason, raw.text(waiting.get("message")), last)
    return None


def _terminated(containers: Iterable[Mapping[str, Any]], phase: PodPhase) -> Terminated | None:
    """In a pod that has succeeded it is the stage's: a sidecar is told to stop once that is done, and no failure then."""
    states = (raw.mapping(container.get("state")) for container in containers)
    ends = [end for state in states if (end := _end_in(state)) is not None]
    first = ends[0] if ends else None
    return first if phase is PodPhase.SUCCEEDED else next((end for end in ends if end.exit_code != 0), first)


def _restarted(containers: Iterable[Mapping[str, Any]]) -> Restarted | None:
    """Only sidecars can be: a stage that has ended is another attempt's, or another pod's."""
    counts = ((raw.whole(container.get("restartCount"), least=0), container) for container in containers)
    times, most = max(counts, key=lambda item: item[0], default=(0, {}))
    return (
        Restarted(raw.text(most.get("name")), times, _end_in(raw.mapping(most.get("lastState"))))
        if times
        else None
    )


def _end_in(state: Mapping[str, Any]) -> Terminated | None:
    terminated = raw.mapping(state.get("terminated"))
    code = terminated.get("exitCode")
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    return Terminated(
        exit_code=max(-MAX_INT32, min(code, MAX_INT32)),
        reason=raw.text(terminated.get("reason")),
        message=raw.text(terminated.get("message")),
        finished_at=raw.time(terminated.get("finishedAt")),
    )


def _job_of(metadata: Mapping[str, Any], labels: Mapping[str, Any]) -> tuple[str, str]:
    """Name and UID of the Job that controls a pod; without one the name that its label has, and no UID."""
    for owner in raw.mappings(metadata.get("ownerReferences")):
        kind = (owner.get("apiVersion"), owner.get("kind"))
        if kind == _JOB and owner.get("controller") is True and (uid := raw.text(owner.get("uid"))):
            return raw.text(owner.get("name")), uid
    return raw.text(labels.get(JOB_NAME_LABEL)), ""


def _phase(value: object) -> PodPhase:
    """Unknown where the API server says nothing we know: such a pod may still run."""
    with suppress(ValueError):
        return PodPhase(raw.text(value))
    return PodPhase.UNKNOWN


def _stage(value: object) -> Stage | None:
    with suppress(ValueError):
        return Stage(raw.text(value))
    return None
