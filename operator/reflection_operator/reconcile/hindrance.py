"""What keeps an attempt's pods from starting: the answer to why nothing happens."""

from __future__ import annotations

from dataclasses import dataclass

from reflection_api.reasons import MEANINGS, NEW_JOB, Reason
from reflection_api.stages import Stage

from .cursor import Here
from .failure import how_it_ended
from .observed import ObservedPod, PodPhase, Waiting
from .text import one_line, sentence

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")
_MAX_WORDS = 360


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why pods do not start, and what can be done."""

    reason: Reason
    what: str
    more: str = ""
    """What can be done beside the remedy of the reason."""

    @property
    def message(self) -> str:
        """Of a run that waits."""
        return sentence(self.what, MEANINGS[self.reason].remedy, self.more)

    @property
    def cause(self) -> str:
        """Of a run that has ended by it, which neither goes on nor has another Job."""
        return sentence(self.what, MEANINGS[self.reason].cure())


def blocking(here: Here) -> Hindrance | None:
    """The first hindrance of the attempt; None while it does its work or simply has not started yet.

    One pod that runs is enough for a stage of independent shards; a training waits for all of its nodes.
    """
    if not here.live or here.job is None or here.job.suspended:
        return None
    unended = [pod for pod in here.pods if not pod.ended]
    pending = [pod for pod in unended if pod.phase is PodPhase.PENDING]
    if len(pending) < len(unended) and here.cursor.stage is not Stage.TRAIN:
        return None
    if here.job.pods_refused:
        words = one_line(here.job.pods_refused, _MAX_WORDS)
        return Hindrance(
            Reason.CHILD_REFUSED, f"pods of Job {here.job.name} are not created: {words}", NEW_JOB
        )
    return next((found for pod in pending if (found := _hindrance(pod))), None)


def _hindrance(pod: ObservedPod) -> Hindrance | None:
    if pod.waiting and (reason := _waiting_reason(pod.waiting)):
        where = f" on node {pod.node}" if pod.node else ""
        words = one_line(f"{pod.waiting.reason} {pod.waiting.message}", _MAX_WORDS)
        last = f"it {how_it_ended(pod.waiting.last)}" if pod.waiting.last else ""
        return Hindrance(reason, sentence(f"pod {pod.name}{where} cannot start: {words}", last))
    if pod.unschedulable:
        words = one_line(pod.unschedulable, _MAX_WORDS)
        return Hindrance(Reason.UNSCHEDULABLE, f"pod {pod.name} finds no node: {words}")
    if pod.mounts_refused:
        reason = Reason.SECRET_NOT_FOUND if _lacks_secret(pod.mounts_refused) else Reason.POD_CONFIG_INVALID
        words = one_line(pod.mounts_refused, _MAX_WORDS)
        return Hindrance(reason, f"pod {pod.name} on node {pod.node} gets no volume: {words}")
    return None


def _waiting_reason(waiting: Waiting) -> Reason | None:
    if waiting.reason in _IMAGE:
        return Reason.IMAGE_PULL_FAILED
    if waiting.reason == "CreateContainerConfigError" and _lacks_secret(waiting.message):
        return Reason.SECRET_NOT_FOUND
    return Reason.POD_CONFIG_INVALID if waiting.reason in _CONTAINER else None


def _lacks_secret(message: str) -> bool:
    """Whether the kubelet's words are of a Secret that is not there, or lacks a key."""
    words = message.lower()
    return "secret" in words and ("not found" in words or "non-existent" in words)
