"""The closed vocabulary of reasons: why a condition is as it is, and whose turn it is to act.

A reason is a promise to whoever is paged: the same word always means the same thing, and its remedy says what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from .stages import Stage

NEW_RESOURCE = "create a new ReflectionTraining"
"""How to begin again where a resource has ended or cannot change. `reflect run` has words of its own for it."""
GOES_ON = "the run goes on by itself"
NEW_JOB = "after a change of spec.pods delete the Job, which is then created anew"
"""A Job keeps the pods that it was made with, and those that cannot start never end: no other attempt comes by itself."""


class Fault(StrEnum):
    """Who can mend it."""

    NONE = "none"
    USER = "user"
    PLATFORM = "platform"
    PROGRAM = "program"
    LIMIT = "limit"


class Reason(StrEnum):
    """Every reason that a condition or an attempt of ours carries. A warning event carries one of these, too."""

    # nothing wrong
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    COMPLETED = "Completed"
    NO_FAILURES = "NoFailures"
    CHECKPOINT_SAVED = "CheckpointSaved"
    DELETING = "Deleting"
    # the user's input
    INVALID_SPEC = "InvalidSpec"
    INVALID_MODEL = "InvalidModel"
    INVALID_PROMPTS = "InvalidPrompts"
    INVALID_TEMPLATE = "InvalidTemplate"
    DATASET_EMPTY = "DatasetEmpty"
    DATASET_MISMATCH = "DatasetMismatch"
    SECRET_NOT_FOUND = "SecretNotFound"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    POD_CONFIG_INVALID = "PodConfigInvalid"
    CHILD_REFUSED = "ChildRefused"
    STORAGE_DENIED = "StorageDenied"
    VERIFIER_UNSOUND = "VerifierUnsound"
    GATE_FAILED = "GateFailed"
    # the platform
    QUOTA_WAIT = "QuotaWait"
    UNSCHEDULABLE = "Unschedulable"
    DISRUPTED = "Disrupted"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    STORAGE_FULL = "StorageFull"
    STORAGE_CONFLICT = "StorageConflict"
    DEPENDENCY_UNAVAILABLE = "DependencyUnavailable"
    # the program
    ROLLOUT_CRASHED = "RolloutCrashed"
    VERIFY_CRASHED = "VerifyCrashed"
    TRAINER_CRASHED = "TrainerCrashed"
    EVALUATION_CRASHED = "EvaluationCrashed"
    REPORT_CRASHED = "ReportCrashed"
    CLEANUP_CRASHED = "CleanupCrashed"
    OUT_OF_MEMORY = "OutOfMemory"
    POLICY_STALE = "PolicyStale"
    ARTIFACT_CORRUPT = "ArtifactCorrupt"
    # limits
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    PENDING_DEADLINE_EXCEEDED = "PendingDeadlineExceeded"
    MAX_RESTARTS_REACHED = "MaxRestartsReached"


CRASHED = {
    Stage.ROLLOUT: Reason.ROLLOUT_CRASHED,
    Stage.VERIFY: Reason.VERIFY_CRASHED,
    Stage.TRAIN: Reason.TRAINER_CRASHED,
    Stage.EVALUATE: Reason.EVALUATION_CRASHED,
    Stage.REPORT: Reason.REPORT_CRASHED,
    Stage.CLEANUP: Reason.CLEANUP_CRASHED,
}
"""The reason of a stage's failure that has no better one. The stage says it, or the operator for a stage that cannot."""


class EventReason(StrEnum):
    """What an event says has happened; beside these, a Reason where something is in the way."""

    ACCEPTED = "Accepted"
    ROLLOUT_JOB_CREATED = "RolloutJobCreated"
    VERIFY_JOB_CREATED = "VerifyJobCreated"
    TRAINING_STARTED = "TrainingStarted"
    EVALUATION_JOB_CREATED = "EvaluationJobCreated"
    REPORT_JOB_CREATED = "ReportJobCreated"
    ROLLOUTS_COMPLETE = "RolloutsComplete"
    FAILURES_DATASET_WRITTEN = "FailuresDatasetWritten"
    CHECKPOINT_SAVED = "CheckpointSaved"
    TRAINING_COMPLETE = "TrainingComplete"
    EVALUATION_COMPLETE = "EvaluationComplete"
    REPORT_WRITTEN = "ReportWritten"
    ATTEMPT_RESTARTED = "AttemptRestarted"
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DELETING = "Deleting"
    ARTIFACTS_DELETED = "ArtifactsDeleted"


class Meaning(NamedTuple):
    """What a reason stands for."""

    fault: Fault
    remedy: str
    """What the reader can do, as the end of a sentence; empty where there is nothing to do."""

    def remedy_with(self, begin_again: str) -> str:
        """The remedy, for a reader who begins again in another way than by a new resource."""
        return self.remedy.replace(NEW_RESOURCE, begin_again)

    def cure(self, begin_again: str = NEW_RESOURCE) -> str:
        """What mends the cause, where something else says how the run goes on, or whether it does."""
        cure = self.remedy
        for ending in (f"; {NEW_JOB}", f"; {GOES_ON}", f" and {NEW_RESOURCE}"):
            cure = cure.removesuffix(ending)
        return cure.rstrip(",").replace(NEW_RESOURCE, begin_again)


MEANINGS: dict[Reason, Meaning] = {
    Reason.ACCEPTED: Meaning(Fault.NONE, ""),
    Reason.PENDING: Meaning(Fault.NONE, ""),
    Reason.PROGRESSING: Meaning(Fault.NONE, ""),
    Reason.SUSPENDED: Meaning(Fault.NONE, "set spec.suspend to false to go on"),
    Reason.RESUMED: Meaning(Fault.NONE, ""),
    Reason.COMPLETED: Meaning(Fault.NONE, ""),
    Reason.NO_FAILURES: Meaning(
        Fault.NONE, "the model answers everything right: use harder prompts if it should learn more"
    ),
    Reason.CHECKPOINT_SAVED: Meaning(Fault.NONE, ""),
    Reason.DELETING: Meaning(Fault.NONE, ""),
    Reason.INVALID_SPEC: Meaning(Fault.USER, f"correct the field and {NEW_RESOURCE}"),
    Reason.INVALID_MODEL: Meaning(Fault.USER, f"correct spec.model or the model's files and {NEW_RESOURCE}"),
    Reason.INVALID_PROMPTS: Meaning(Fault.USER, f"correct the prompts file and {NEW_RESOURCE}"),
    Reason.INVALID_TEMPLATE: Meaning(Fault.USER, f"correct spec.task.templates and {NEW_RESOURCE}"),
    Reason.DATASET_EMPTY: Meaning(
        Fault.USER, f"give a prompts file with at least one question and {NEW_RESOURCE}"
    ),
    Reason.DATASET_MISMATCH: Meaning(
        Fault.USER,
        "use another name or storage prefix, or delete the artefacts that were made with other settings, "
        f"and {NEW_RESOURCE}",
    ),
    Reason.SECRET_NOT_FOUND: Meaning(Fault.USER, f"create the Secret; {GOES_ON}"),
    Reason.IMAGE_PULL_FAILED: Meaning(
        Fault.USER, f"correct the image or its pull secret; {GOES_ON}; {NEW_JOB}"
    ),
    Reason.POD_CONFIG_INVALID: Meaning(
        Fault.USER,
        f"correct spec.pods, or create what the message misses; {GOES_ON}; {NEW_JOB}",
    ),
    Reason.CHILD_REFUSED: Meaning(
        Fault.USER,
        "correct what the message names (spec.pods, a quota, an admission policy, an object of that name); "
        f"{GOES_ON}",
    ),
    Reason.STORAGE_DENIED: Meaning(
        Fault.USER, f"grant the permission named in the message and {NEW_RESOURCE}"
    ),
    Reason.VERIFIER_UNSOUND: Meaning(Fault.USER, f"correct the verifier and {NEW_RESOURCE}"),
    Reason.GATE_FAILED: Meaning(Fault.USER, "see the report; the artefacts are kept"),
    Reason.QUOTA_WAIT: Meaning(Fault.PLATFORM, "the run starts when the queue admits it"),
    Reason.UNSCHEDULABLE: Meaning(
        Fault.PLATFORM, f"free or add capacity, or relax the pod's constraints; {NEW_JOB}"
    ),
    Reason.DISRUPTED: Meaning(Fault.PLATFORM, "nothing: the attempt is started again and not counted"),
    Reason.STORAGE_UNAVAILABLE: Meaning(Fault.PLATFORM, f"bring the storage back; {GOES_ON}"),
    Reason.STORAGE_FULL: Meaning(Fault.PLATFORM, "free space in the storage"),
    Reason.STORAGE_CONFLICT: Meaning(
        Fault.PLATFORM, "end the other process that writes under the same prefix, if there still is one"
    ),
    Reason.DEPENDENCY_UNAVAILABLE: Meaning(Fault.PLATFORM, "bring the service named in the message back"),
    Reason.ROLLOUT_CRASHED: Meaning(Fault.PROGRAM, "see the log of the pod"),
    Reason.VERIFY_CRASHED: Meaning(Fault.PROGRAM, "see the log of the pod"),
    Reason.TRAINER_CRASHED: Meaning(Fault.PROGRAM, "see the log of the pod"),
    Reason.EVALUATION_CRASHED: Meaning(Fault.PROGRAM, "see the log of the pod"),
    Reason.REPORT_CRASHED: Meaning(
        Fault.PROGRAM, "see the log of the pod; the result itself is not affected"
    ),
    Reason.CLEANUP_CRASHED: Meaning(Fault.PROGRAM, "see the log of the pod"),
    Reason.OUT_OF_MEMORY: Meaning(
        Fault.PROGRAM,
        "raise the memory limit in spec.pods (without a cluster: free memory), or lower microBatchSize or the token limits",
    ),
    Reason.POLICY_STALE: Meaning(
        Fault.PROGRAM,
        "a defect of this program, of vLLM or of a GPU; create a new ReflectionTraining with spec.training.generation "
        "transformers",
    ),
    Reason.ARTIFACT_CORRUPT: Meaning(
        Fault.PROGRAM,
        f"see to the storage, do what the message says about the damaged file, and {NEW_RESOURCE}",
    ),
    Reason.DEADLINE_EXCEEDED: Meaning(Fault.LIMIT, f"raise spec.activeDeadlineSeconds and {NEW_RESOURCE}"),
    Reason.PENDING_DEADLINE_EXCEEDED: Meaning(
        Fault.LIMIT, f"free or add capacity, or raise spec.pendingDeadlineSeconds, and {NEW_RESOURCE}"
    ),
    Reason.MAX_RESTARTS_REACHED: Meaning(Fault.LIMIT, f"mend the cause in the message and {NEW_RESOURCE}"),
}
