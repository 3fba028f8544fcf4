"""Observations in few words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reflection_api.conditions import Condition, ConditionType
from reflection_api.contract import ProgressReport
from reflection_api.layout import child_name
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.decision import Decision
from reflection_operator.reconcile.observed import (
    JobState,
    Observed,
    ObservedJob,
    ObservedPod,
    PodPhase,
    Terminated,
)

NAME, UID = "countdown", "1a2b3c4d-0000-4000-8000-000000000001"
FOLDER = f"s3://team/runs/ml/{NAME}-1a2b3c4d"
T0 = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


def changed(status: Any, **update: Any) -> Any:
    """A status, or a part of one, that somebody has written over."""
    return status.model_copy(update=update)


def after(seconds: float) -> datetime:
    """A moment of the test's own clock."""
    return T0 + timedelta(seconds=seconds)


def resource(
    status: ReflectionTrainingStatus | None = None,
    *,
    generation: int = 1,
    deleted: bool = False,
    finalizers: Sequence[str] = (),
    **spec: Any,
) -> ReflectionTraining:
    """A valid resource with these parts of its spec replaced."""
    base = {
        "model": {"uri": "hf://org/tiny"},
        "task": {"prompts": {"uri": "s3://team/train.jsonl"}, "verifier": {"builtin": {"name": "countdown"}}},
        "storage": {"uri": "s3://team/runs"},
    }
    metadata: dict[str, Any] = {"name": NAME, "namespace": "ml", "uid": UID, "generation": generation}
    metadata["finalizers"] = list(finalizers)
    if deleted:
        metadata["deletionTimestamp"] = T0
    return ReflectionTraining.model_validate({"metadata": metadata, "spec": base | spec}).model_copy(
        update={"status": status}
    )


def status_at(
    stage: Stage, attempt: int = 1, *, round_number: int = 1, restarts: int = 0, **fields: Any
) -> ReflectionTrainingStatus:
    """The status that a run has while an attempt is at work."""
    cursor = Cursor(round=round_number, stage=stage, attempt=attempt, restarts=restarts, started_at=T0)
    status = ReflectionTrainingStatus(current=cursor, **{"observed_generation": 1, "start_time": T0} | fields)
    at_work = job(stage, attempt, round_number=round_number)
    return status_of(decided(resource(status, rounds=round_number), [at_work], [pod(at_work)], at=0))


def job(stage: Stage, attempt: int = 1, *, round_number: int = 1, **fields: Any) -> ObservedJob:
    """A Job of ours; with `state` complete or failed it ended long before any look."""
    name = child_name(NAME, UID, round_number, stage, attempt)
    fields = {"restarts": 0, "created_at": T0, "uid": f"uid-of-{name}", "owners": (UID,)} | fields
    return ObservedJob(name=name, round=round_number, stage=stage, attempt=attempt, **fields)


def complete(stage: Stage, attempt: int = 1, **fields: Any) -> ObservedJob:
    """A Job that is complete."""
    return job(stage, attempt, state=JobState.COMPLETE, **fields)


def failed(stage: Stage, attempt: int = 1, **fields: Any) -> ObservedJob:
    """A Job that has failed."""
    fields = {
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    } | fields
    return job(stage, attempt, state=JobState.FAILED, **fields)


def pod(of: ObservedJob, index: int = 0, **fields: Any) -> ObservedPod:
    """A running pod of a Job."""
    fields = {"phase": PodPhase.RUNNING, "node": "node-1"} | fields
    return ObservedPod(
        name=f"{of.name}-{index}-abcde", job_name=of.name, job_uid=of.uid, index=index, **fields
    )


def crashed(of: ObservedJob, code: int = 1, index: int = 0, *, at: float = 60, **fields: Any) -> ObservedPod:
    """A pod whose container has ended with an exit code."""
    words = {key: fields.pop(key) for key in ("reason", "message") if key in fields}
    end = Terminated(exit_code=code, finished_at=after(at), **{"reason": "Error"} | words)
    return pod(of, index, phase=PodPhase.FAILED, terminated=end, **fields)


def succeeded(of: ObservedJob, index: int = 0, note: str = "", **metrics: float) -> ObservedPod:
    """A pod that ended well and said so."""
    message = said(of.stage, metrics=metrics, note=note)
    end = Terminated(exit_code=0, reason="Completed", message=message, finished_at=after(60))
    return pod(of, index, phase=PodPhase.SUCCEEDED, terminated=end)


def said(
    stage: Stage, outcome: str = "Succeeded", reason: str = "Completed", message: str = "", **fields: Any
) -> str:
    """A termination message."""
    return json.dumps(
        {"stage": stage.value, "outcome": outcome, "reason": reason, "message": message, **fields}
    )


def look(
    run: ReflectionTraining,
    jobs: Sequence[ObservedJob] = (),
    pods: Sequence[ObservedPod] = (),
    *,
    at: float = 3600,
    progress: ProgressReport | None = None,
) -> Observed:
    """What is seen `at` seconds after T0."""
    return Observed(run, tuple(jobs), tuple(pods), progress, after(at))


def decided(
    run: ReflectionTraining,
    jobs: Sequence[ObservedJob] = (),
    pods: Sequence[ObservedPod] = (),
    *,
    at: float = 3600,
    progress: ProgressReport | None = None,
) -> Decision:
    """The decision on what is seen."""
    return decide(look(run, jobs, pods, at=at, progress=progress))


def status_of(decision: Decision) -> ReflectionTrainingStatus:
    """The status that a decision writes."""
    assert decision.status is not None
    return decision.status


def cursor_of(decision: Decision) -> tuple[int, Stage, int, int]:
    """Round, stage, attempt and restarts that a decision moves to."""
    current = status_of(decision).current
    assert current is not None
    return current.round, current.stage, current.attempt, current.restarts


def created(decision: Decision) -> list[tuple[int, Stage, int, int]]:
    """The attempts that a decision creates."""
    return [(each.round, each.stage, each.attempt, each.restarts) for each in decision.create]


def said_of(decision: Decision, kind: ConditionType) -> Condition:
    """A condition that a decision writes."""
    return next(each for each in status_of(decision).conditions if each.type == kind)


def truth(decision: Decision, kind: ConditionType) -> str:
    """Status of a condition; `absent` where there is none."""
    return next((each.status for each in status_of(decision).conditions if each.type == kind), "absent")


def told(decision: Decision) -> list[str]:
    """The reasons of the events, in order."""
    return [str(event.reason) for event in decision.events]
