"""Where a run is: the greater of what its status remembers and what its Jobs show.

Either may be read late or be lost, and both only ever grow, so the greater one is right. All stages before the cursor are
complete by definition: a status that is ahead of a Job that is still at work was edited by hand and counts as lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reflection_api.layout import child_name
from reflection_api.resource import Metadata
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus

from .observed import CLOCKS_DIFFER, JobState, Observed, ObservedJob, ObservedPod, PodPhase

_ORDER = list(Stage)
_START = Cursor(round=1, stage=Stage.ROLLOUT, attempt=1)

Position = tuple[int, int, int]
"""Round, number of the stage, attempt: compared from left to right."""


@dataclass(frozen=True)
class Here:
    """The attempt that a run is at, and whatever else of it is still alive."""

    cursor: Cursor
    job: ObservedJob | None
    """The Job of the attempt; None before it is created, and after somebody deleted it."""
    pods: tuple[ObservedPod, ...]
    """The pods of that Job."""
    superseded: tuple[ObservedJob, ...]
    """Jobs of earlier attempts that could still start pods."""
    lingering: tuple[ObservedPod, ...]
    """Pods of other Jobs, of a deleted one of the same name, or that only say so, that have not ended."""

    @property
    def live(self) -> bool:
        """Whether the attempt's Job is at work or waits to be."""
        return self.job is not None and self.job.state is JobState.ACTIVE

    @property
    def others_alive(self) -> bool:
        """Whether anything of an earlier Job could still write to the run's storage."""
        return bool(self.superseded or self.lingering)

    @property
    def still(self) -> bool:
        """Whether nothing of the run is alive."""
        return not (self.live or self.others_alive or any(not pod.ended for pod in self.pods))

    @property
    def started(self) -> bool:
        """Whether the attempt does its work: all nodes of a training are needed for that, one pod of another stage."""
        if self.job is None or not self.pods:
            return False
        if self.cursor.stage is Stage.TRAIN:
            return len(self.pods) >= self.job.completions and all(
                pod.phase is not PodPhase.PENDING for pod in self.pods
            )
        return any(pod.phase is not PodPhase.PENDING for pod in self.pods)

    @property
    def unseen(self) -> int:
        """Pods that the Job counts as at work and nobody sees: not yet, or their labels were taken off."""
        return max(0, self.job.active - sum(not pod.ended for pod in self.pods)) if self.job else 0


def locate(run: Observed, status: ReflectionTrainingStatus) -> Here:
    """Find where a run is."""
    jobs = own_jobs(run)
    newest = max(jobs, key=position, default=None)
    remembered = status.current if status.current and _believed(run, status.current, newest) else None
    cursor = _begun(_greater(remembered, newest) or _START, run.now)
    job = next((job for job in jobs if position(job) == position(cursor)), None)
    pods = pods_of(run, job) if job else ()
    prefix = _prefix(run.resource.metadata)
    return Here(
        cursor=cursor,
        job=job,
        pods=pods,
        superseded=tuple(earlier for earlier in jobs if earlier is not job and earlier.live),
        lingering=tuple(
            pod for pod in run.pods if pod.job_name.startswith(prefix) and not pod.ended and pod not in pods
        ),
    )


def position(at: Cursor | ObservedJob) -> Position:
    """What cursors and Jobs are compared by."""
    return at.round, _ORDER.index(at.stage), at.attempt


def _step(at: Cursor | ObservedJob) -> tuple[int, int]:
    return position(at)[:2]


def job_name(metadata: Metadata, at: Cursor | ObservedJob) -> str:
    """Name of the Job of an attempt."""
    return child_name(metadata.name, metadata.uid, at.round, at.stage, at.attempt)


def passed(time: datetime, now: datetime) -> datetime:
    """A time at which something has happened: now, where it is still to come by a clock or somebody's hand."""
    return now if time - now > CLOCKS_DIFFER else time


def own_jobs(run: Observed) -> list[ObservedJob]:
    """The Jobs that decisions of ours created: a copied label does not make a Job ours, a name we would give and an owner do.

    A clean-up outlives the run, and has no owner.
    """
    metadata = run.resource.metadata
    return [
        job
        for job in run.jobs
        if job.name == job_name(metadata, job)
        and can_be_at(run, job)
        and (metadata.uid in job.owners or job.stage is Stage.CLEANUP)
    ]


def pods_of(run: Observed, job: ObservedJob) -> tuple[ObservedPod, ...]:
    """The pods that a Job controls, by index: not those of a deleted one of the same name, nor what copies their labels."""
    pods = (pod for pod in run.pods if pod.job_uid == job.uid)
    return tuple(sorted(pods, key=lambda pod: (pod.index, pod.name)))


def next_attempt(cursor: Cursor, *, restarts: int, retry_at: datetime | None) -> Cursor:
    """The attempt after this one at the same stage."""
    return cursor.model_copy(
        update={"attempt": cursor.attempt + 1, "restarts": restarts, "retry_at": retry_at}
    )


def first_attempt(round_number: int, stage: Stage) -> Cursor:
    """The first attempt at a stage."""
    return Cursor(round=round_number, stage=stage, attempt=1)


def can_be_at(run: Observed, at: Cursor | ObservedJob) -> bool:
    """Whether a decision of ours can bring the run there."""
    deleted = run.resource.metadata.deletion_timestamp is not None
    return at.round <= run.resource.spec.rounds and (deleted or at.stage in RUN_STAGES)


def _believed(run: Observed, at: Cursor, newest: ObservedJob | None) -> bool:
    """Whether what the status remembers can be true; else somebody edited it."""
    if not can_be_at(run, at):
        return False
    # A clean-up begins whatever is at work, every other stage when the one before it is complete.
    return at.stage is Stage.CLEANUP or newest is None or not newest.live or _step(newest) >= _step(at)


def _begun(at: Cursor, now: datetime) -> Cursor:
    return at.model_copy(update={"started_at": passed(at.started_at, now)}) if at.started_at else at


def _greater(remembered: Cursor | None, newest: ObservedJob | None) -> Cursor | None:
    if newest is None or (remembered and position(remembered) >= position(newest)):
        return remembered
    same_stage = remembered is not None and (remembered.round, remembered.stage) == (
        newest.round,
        newest.stage,
    )
    started_at = remembered.started_at if remembered and same_stage else None
    return Cursor(
        round=newest.round,
        stage=newest.stage,
        attempt=newest.attempt,
        restarts=newest.restarts,
        started_at=started_at or newest.created_at,
    )


def _prefix(metadata: Metadata) -> str:
    """How the names of all children of a run begin."""
    return child_name(metadata.name, metadata.uid, 1, Stage.ROLLOUT, 1).removesuffix("r1-rollout-1")
