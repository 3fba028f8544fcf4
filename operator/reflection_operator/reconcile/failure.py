"""Why an attempt failed: which pod failed first, how, and whether trying again can help."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from reflection_api.contract import StageResult
from reflection_api.reasons import CRASHED, MEANINGS, Fault, Reason
from reflection_api.stages import FINAL_EXIT_CODES, TOLD_TO_STOP, ExitCode, Stage
from reflection_api.status import AuditStatus

from .observed import ObservedJob, ObservedPod, PodPhase, Terminated
from .results import result_of
from .text import last_line, one_line

_MAX_MESSAGE = 900
_MAX_EXPLANATION = 640
_MAX_LOG_LINE = 240
_MAX_NAME = 253
_NEVER = datetime.max.replace(tzinfo=UTC)
_SIGNALLED = 128
_EVICTED = "Evicted"
_EXIT_CODE = re.compile(r"exit code (\d{1,3})\b")


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened to an attempt."""

    reason: Reason
    message: str
    """What happened, to which pod on which node: one line."""
    exit_code: int | None = None
    pod: str | None = None
    node: str | None = None
    finished_at: datetime | None = None
    audit: AuditStatus | None = None
    """Of the verifier, where the stage says how it stood one."""

    @property
    def counted(self) -> bool:
        """Whether it counts towards maxRestarts: not where the platform took the pod away."""
        return self.reason is not Reason.DISRUPTED

    @property
    def final(self) -> bool:
        """Whether it would only happen again."""
        return self.counted and self.exit_code in FINAL_EXIT_CODES

    @property
    def dependency_away(self) -> bool:
        """Whether something that the stage needs did not answer."""
        return self.exit_code == ExitCode.DEPENDENCY_AWAY


def diagnose(job: ObservedJob, pods: Sequence[ObservedPod]) -> Failure:
    """Say why a failed Job failed."""
    pod = first_failure(job.stage, pods)
    return _from_job(job) if pod is None else _from_pod(job, pod)


def first_failure(stage: Stage, pods: Sequence[ObservedPod]) -> ObservedPod | None:
    """The pod that took the others with it; None where no pod is known to have failed.

    In a training the first disruption ends the Job, and the ranks that lose their peer may well die sooner than the
    disrupted one. In the other stages a disrupted pod is replaced: it is the cause only if nothing else failed.
    """
    failed = [pod for pod in pods if failed_for_good(pod)]
    disrupted = [pod for pod in failed if pod.disrupted]
    others = [pod for pod in failed if not pod.disrupted]
    candidates = disrupted or others if stage is Stage.TRAIN else others or disrupted
    return min(candidates, key=lambda pod: _how_early(stage, pod), default=None)


def failed_for_good(pod: ObservedPod) -> bool:
    """Whether a pod has ended and not with success."""
    return pod.phase is PodPhase.FAILED or (pod.terminated is not None and pod.terminated.exit_code != 0)


def _how_early(stage: Stage, pod: ObservedPod) -> tuple[datetime, int, int, str]:
    """Times have whole seconds: within one, who can explain himself comes first, and who was told to stop comes last."""
    end = pod.terminated
    if end is None:
        return _NEVER, 1, pod.index, pod.name
    explained = 0 if result_of(pod, stage) else 1
    return end.finished_at or _NEVER, 2 if end.exit_code == TOLD_TO_STOP else explained, pod.index, pod.name


def _from_pod(job: ObservedJob, pod: ObservedPod) -> Failure:
    end = pod.terminated
    reason, words = _cause(job.stage, pod, end)
    return Failure(
        reason=reason,
        message=one_line(words, _MAX_MESSAGE),
        exit_code=end.exit_code if end else None,
        pod=one_line(pod.name, _MAX_NAME),
        node=one_line(pod.node, _MAX_NAME) if pod.node else None,
        finished_at=(end.finished_at if end else None) or job.finished_at,
        audit=result.audit if (result := result_of(pod, job.stage)) else None,
    )


def _cause(stage: Stage, pod: ObservedPod, end: Terminated | None) -> tuple[Reason, str]:
    where = f"pod {pod.name}" + (f" on node {pod.node}" if pod.node else "")
    if pod.disrupted:
        return (
            Reason.DISRUPTED,
            f"{where} was taken away by the platform ({one_line(pod.disrupted, _MAX_LOG_LINE)})",
        )
    if pod.reason == _EVICTED:
        # No disruption: it has used more than a limit of its own, and so will the next one.
        return (
            Reason.STORAGE_FULL,
            f"{where} was evicted ({one_line(pod.message, _MAX_LOG_LINE)}); raise the sizeLimit of the volume, or "
            "ephemeral-storage, in spec.pods",
        )
    if end is None:
        why = one_line(f"{pod.reason} {pod.message}", _MAX_LOG_LINE) or "no reason given"
        return CRASHED[stage], f"{where} failed before its container started ({why})"
    if end.reason == "OOMKilled":
        return Reason.OUT_OF_MEMORY, f"{where} {how_it_ended(end)}"
    result = result_of(pod, stage)
    if result and result.outcome == "Failed" and result.message:
        return _reason(
            stage, result
        ), f"{one_line(result.message, _MAX_EXPLANATION)} ({where}, exit {end.exit_code})"
    return CRASHED[stage], f"{where} {_how(end.exit_code) if result else how_it_ended(end)}"


def _reason(stage: Stage, result: StageResult) -> Reason:
    """The result's own reason, where it is a word of ours that can stand for a failure."""
    with suppress(ValueError):
        reason = Reason(result.reason)
        if MEANINGS[reason].fault is not Fault.NONE and reason is not Reason.DISRUPTED:
            return reason
    return CRASHED[stage]


def how_it_ended(end: Terminated) -> str:
    """What a container that ended leaves to be said of it: how, and the last line of its log."""
    if end.reason == "OOMKilled":
        return f"was killed for using too much memory (exit {end.exit_code}, out of memory)"
    line = last_line(end.message, _MAX_LOG_LINE)
    return _how(end.exit_code) + (f": {line}" if line else "")


def _how(exit_code: int) -> str:
    with suppress(ValueError):
        if exit_code > _SIGNALLED:
            return f"was killed by {signal.Signals(exit_code - _SIGNALLED).name} (exit {exit_code})"
    return f"ended with exit code {exit_code}"


def _from_job(job: ObservedJob) -> Failure:
    """The pods are gone: what is left is what the Job controller wrote down."""
    code = _EXIT_CODE.search(job.message)
    why = one_line(f"{job.reason} {job.message}", _MAX_LOG_LINE) or "no reason given"
    return Failure(
        reason=Reason.DISRUPTED if "DisruptionTarget" in job.message else CRASHED[job.stage],
        message=f"Job {job.name} failed and its pods are gone ({why})",
        exit_code=int(code.group(1)) if code else None,
        finished_at=job.finished_at,
    )
