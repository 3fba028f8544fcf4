"""What a decision is taken from: one run as it is seen at one moment, possibly stale, possibly incomplete.

Whoever observes selects Jobs and pods by the label of the resource's UID and parses them with parse.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reflection_api.contract import ProgressReport
from reflection_api.reasons import NEW_RESOURCE
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage

PODS_LAG = timedelta(seconds=10)
"""A Job may be seen to have pods, or to end, this long before its pods are: they come by another watch."""


CLOCKS_DIFFER = timedelta(minutes=5)
"""What is said to be from further ahead is not believed."""


class JobState(StrEnum):
    """What the conditions of a Job say."""

    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"


class PodPhase(StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job of the run."""

    name: str
    uid: str
    round: int
    stage: Stage
    attempt: int
    restarts: int
    """Attempts at the stage that failed before this one and count towards maxRestarts: from its annotation."""
    created_at: datetime
    owners: tuple[str, ...] = ()
    """UIDs of the objects that own it."""
    completions: int = 1
    """Pods that must succeed, one per completion index."""
    active: int = 0
    """Pods that have not ended, as the Job controller counts them."""
    state: JobState = JobState.ACTIVE
    reason: str = ""
    """Of the condition that ended it."""
    message: str = ""
    suspended: bool = False
    """Held by somebody else, for example by Kueue until there is quota. We never set or clear it."""
    deleting: bool = False
    started_at: datetime | None = None
    """When it was last allowed to start pods."""
    finished_at: datetime | None = None
    pods_refused: str = ""
    """What the API server said when pods that it misses were to be created; empty: nothing is missed, or nothing was said."""

    @property
    def live(self) -> bool:
        """Whether it may still start pods."""
        return self.state is JobState.ACTIVE


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a container ended. An exit code above 128 is a signal: 128 plus its number."""

    exit_code: int
    reason: str = ""
    """`OOMKilled`, `Error`, `Completed`: the words of the kubelet."""
    message: str = ""
    """The termination message: a StageResult, or the end of the log. Hostile."""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not start."""

    reason: str
    message: str = ""
    last: Terminated | None = None
    """How it ended before, where it is started over and over."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """A container beside the stage's that ended and was started again."""

    name: str
    times: int
    last: Terminated | None = None
    """How it ended the last time."""


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A pod of one of the run's Jobs."""

    name: str
    job_name: str
    job_uid: str = ""
    """UID of the Job that controls it; empty where none does. Then it is waited for, and nothing that it says counts."""
    index: int = 0
    """Completion index: the shard or the rank of the node."""
    created_at: datetime | None = None
    phase: PodPhase = PodPhase.PENDING
    node: str | None = None
    unschedulable: str | None = None
    """What the scheduler says, while it finds no node."""
    disrupted: str | None = None
    """Why the platform took the pod away (condition DisruptionTarget): eviction, preemption, a lost node."""
    deleting: bool = False
    reason: str = ""
    """Of the pod itself, for example `Evicted` or `UnexpectedAdmissionError`."""
    message: str = ""
    waiting: Waiting | None = None
    mounts_refused: str = ""
    """What the kubelet says of a volume that it cannot mount."""
    terminated: Terminated | None = None
    restarted: Restarted | None = None
    """The container that was started again most often, if any was."""

    @property
    def ended(self) -> bool:
        """Whether all its processes have ended for good."""
        return self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server said the last time that a child was to be created. Whoever carries decisions out remembers it."""

    job_name: str
    """The attempt that the child is of."""
    message: str
    invalid: bool = False
    """Whether the child itself is wrong, so that only another spec can help."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One run at one moment."""

    resource: ReflectionTraining
    """With the status that was read together with it."""
    jobs: tuple[ObservedJob, ...]
    pods: tuple[ObservedPod, ...]
    progress: ProgressReport | None
    """The newest report of a pod of this run, if any."""
    now: datetime
    """The time, with its zone."""
    refusal: Refusal | None = None
    """Why the Job of the attempt could not be created yet, if so."""
    begin_again: str = NEW_RESOURCE
    """What its reader does to begin a failed run again, as words of a remedy."""

    def __post_init__(self) -> None:
        """A time without a zone would fail only later, in the first comparison with a Job's."""
        if self.now.tzinfo is None:
            raise ValueError("Observed.now has no time zone: use datetime.now(UTC)")
