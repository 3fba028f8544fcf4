"""From batch/v1 Jobs and v1 Pods, as an API server gives them, to what decisions need.

Labels can be put on any object by anybody, so nothing here trusts a shape: what cannot be a child of ours is None, and a
field of an unexpected type counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from reflection_api.stages import Stage

from ..children.labels import ATTEMPT_LABEL, RESTARTS_ANNOTATION, ROUND_LABEL, STAGE_CONTAINER, STAGE_LABEL
from .observed import JobState, ObservedJob, ObservedPod, PodPhase, Terminated, Waiting

_JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
_INDEX = "batch.kubernetes.io/job-completion-index"
_MAX_DIGITS = 9
_MAX_ROUND = 10
_NOT_A_PROBLEM = ("ContainerCreating", "PodInitializing")


def job_from_object(obj: Mapping[str, Any]) -> ObservedJob | None:
    """The Job in an API object; None where its labels are not those of an attempt."""
    metadata, spec, status = (_mapping(obj.get(part)) for part in ("metadata", "spec", "status"))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    name, created_at = _text(metadata.get("name")), _time(metadata.get("creationTimestamp"))
    round_number, attempt = _count(labels.get(ROUND_LABEL)), _count(labels.get(ATTEMPT_LABEL))
    stage = _stage(labels.get(STAGE_LABEL))
    if not (name and created_at and stage and attempt and round_number and round_number <= _MAX_ROUND):
        return None
    state, condition = _job_state(status)
    return ObservedJob(
        name=name,
        uid=_text(metadata.get("uid")),
        round=round_number,
        stage=stage,
        attempt=attempt,
        restarts=_count(annotations.get(RESTARTS_ANNOTATION)) or 0,
        created_at=created_at,
        completions=_completions(spec.get("completions")),
        state=state,
        reason=_text(condition.get("reason")),
        message=_text(condition.get("message")),
        suspended=spec.get("suspend") is True,
        deleting=metadata.get("deletionTimestamp") is not None,
        started_at=_time(status.get("startTime")),
        finished_at=_time(status.get("completionTime")) or _time(condition.get("lastTransitionTime")),
    )


def pod_from_object(obj: Mapping[str, Any]) -> ObservedPod | None:
    """The pod in an API object; None where no Job owns it."""
    metadata, spec, status = (_mapping(obj.get(part)) for part in ("metadata", "spec", "status"))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    name, job_name = _text(metadata.get("name")), _text(labels.get(_JOB_NAME_LABEL))
    if not (name and job_name):
        return None
    conditions = list(_mappings(status.get("conditions")))
    # The stage's own container speaks first; a sidecar or an init container only where it has nothing to say.
    containers = sorted(_mappings(status.get("containerStatuses")), key=lambda item: item.get("name") != STAGE_CONTAINER)
    containers += _mappings(status.get("initContainerStatuses"))
    return ObservedPod(
        name=name,
        job_name=job_name,
        job_uid=_owner_uid(metadata),
        index=_count(annotations.get(_INDEX)) or _count(labels.get(_INDEX)) or 0,
        phase=_phase(status.get("phase")),
        node=_text(spec.get("nodeName")) or None,
        unschedulable=_unschedulable(conditions),
        disrupted=_disrupted(conditions),
        deleting=metadata.get("deletionTimestamp") is not None,
        reason=_text(status.get("reason")),
        message=_text(status.get("message")),
        waiting=_waiting(containers),
        terminated=_terminated(containers),
    )


def _job_state(status: Mapping[str, Any]) -> tuple[JobState, Mapping[str, Any]]:
    ends = {"Complete": JobState.COMPLETE, "Failed": JobState.FAILED}
    for condition in _mappings(status.get("conditions")):
        kind = _text(condition.get("type"))
        if condition.get("status") == "True" and kind in ends:
            return ends[kind], condition
    return JobState.ACTIVE, {}


def _completions(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _unschedulable(conditions: Iterable[Mapping[str, Any]]) -> str | None:
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return _text(condition.get("message")) or "no node fits"
    return None


def _disrupted(conditions: Iterable[Mapping[str, Any]]) -> str | None:
    for condition in conditions:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            words = (_text(condition.get("reason")), _text(condition.get("message")))
            return ": ".join(word for word in words if word) or "disrupted"
    return None


def _waiting(containers: Iterable[Mapping[str, Any]]) -> Waiting | None:
    for container in containers:
        waiting = _mapping(_mapping(container.get("state")).get("waiting"))
        reason = _text(waiting.get("reason"))
        if reason and reason not in _NOT_A_PROBLEM:
            return Waiting(reason, _text(waiting.get("message")))
    return None


def _terminated(containers: Iterable[Mapping[str, Any]]) -> Terminated | None:
    ends = [end for container in containers if (end := _end_of(container)) is not None]
    return next((end for end in ends if end.exit_code != 0), ends[0] if ends else None)


def _end_of(container: Mapping[str, Any]) -> Terminated | None:
    terminated = _mapping(_mapping(container.get("state")).get("terminated"))
    code = terminated.get("exitCode")
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    return Terminated(
        exit_code=max(-(2**31), min(code, 2**31 - 1)),
        reason=_text(terminated.get("reason")),
        message=_text(terminated.get("message")),
        finished_at=_time(terminated.get("finishedAt")),
    )


def _owner_uid(metadata: Mapping[str, Any]) -> str:
    owners = _mappings(metadata.get("ownerReferences"))
    return next((_text(owner.get("uid")) for owner in owners if owner.get("kind") == "Job"), "")


def _phase(value: object) -> PodPhase:
    """Unknown where the API server says nothing we know: such a pod may still run."""
    with suppress(ValueError):
        return PodPhase(_text(value))
    return PodPhase.UNKNOWN


def _stage(value: object) -> Stage | None:
    with suppress(ValueError):
        return Stage(_text(value))
    return None


def _count(value: object) -> int | None:
    """A number from 0 in ASCII digits, as labels carry it."""
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def _time(value: object) -> datetime | None:
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(_text(value))
        return time.astimezone(UTC) if time.tzinfo else None
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, (list, tuple)):
        yield from (item for item in value if isinstance(item, Mapping))
