"""What a run that goes on is doing at the moment, in one sentence: what somebody reads who asks why nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reflection_api.reasons import MEANINGS, Reason
from reflection_api.stages import Stage

from ..children.labels import JOB_NAME_LABEL, UID_LABEL
from .cursor import Here, job_name
from .failure import how_it_ended
from .hindrance import blocking
from .observed import PODS_LAG, Observed
from .restart import time_to_retry
from .suspend import is_suspended
from .text import many, number, one_line, sentence

_MAX_REFUSAL = 900
_MAX_NAME = 63
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a run is doing."""

    ready: bool
    """Whether it goes on by itself, or rests because it was told to."""
    reason: Reason
    message: str
    suspended: bool = False
    queued: bool = False
    stalled: bool = False
    """Whether it cannot go on before its resource is changed."""


def situation(run: Observed, here: Here) -> Situation:
    """Say what a run is doing."""
    at = whereabouts(run, here)
    if run.resource.spec.suspend:
        return _suspending(run, here, at)
    if here.job is None:
        return refused(run, here, at) or Situation(True, *_before_the_job(run, here, at))
    if here.live and here.job.deleting:
        return Situation(
            True, Reason.PROGRESSING, f"{at}: Job {here.job.name} is being deleted and is then created again"
        )
    if here.live and here.job.suspended:
        queue = run.resource.metadata.labels.get(_QUEUE_LABEL)
        whose = f"queue {queue}" if queue else "another controller"
        words = sentence(f"{at}: Job {here.job.name} is held by {whose}", MEANINGS[Reason.QUOTA_WAIT].remedy)
        return Situation(True, Reason.QUOTA_WAIT, words, queued=True)
    if hindrance := blocking(here):
        return Situation(False, hindrance.reason, f"{at}: {hindrance.message}")
    if here.live and not here.started:
        if here.unseen and not time_to_see_pods(run, here):
            return Situation(True, Reason.PROGRESSING, _without_labels(run, here, at))
        return Situation(True, Reason.PENDING, f"{at}: waiting for the pods of Job {here.job.name} to start")
    return Situation(True, Reason.PROGRESSING, sentence(at, _started_again(run, here)))


def time_to_see_pods(run: Observed, here: Here) -> timedelta:
    """What is left of the time in which pods of the attempt's Job may be at work and not be seen yet."""
    if here.job is None or here.started or not here.unseen:
        return timedelta(0)
    begun = here.job.started_at or here.job.created_at
    return max(begun + PODS_LAG - run.now, timedelta(0))


def _without_labels(run: Observed, here: Here, at: str) -> str:
    job = job_name(run.resource.metadata, here.cursor)
    words = f"Job {job} has {many(here.unseen, 'pod')} at work without the labels by which pods of a run are found"
    metadata = run.resource.metadata
    which = f"-n {metadata.namespace} -l {JOB_NAME_LABEL}={job}"
    label = f"kubectl label pods {which} {UID_LABEL}={metadata.uid}"
    return sentence(f"{at}: {words}", f"what they report is lost unless they get them back: `{label}`")


def _started_again(run: Observed, here: Here) -> str:
    """A sidecar that ends is started again by the kubelet, and its stage may wait for it for long."""
    pods = [(pod, pod.restarted) for pod in here.pods if pod.restarted and not pod.ended]
    if not pods:
        return ""
    pod, found = max(pods, key=lambda item: item[1].times)
    name = one_line(found.name, _MAX_NAME)
    times = "once" if found.times == 1 else f"{number(found.times)} times"
    last = f"the last time it {how_it_ended(found.last)}" if found.last else ""
    log = f"`kubectl logs -n {run.resource.metadata.namespace} {pod.name} -c {name} --previous`"
    return sentence(
        f"container {name} of pod {pod.name} ended and was started again {times}", last, f"see {log}"
    )


def whereabouts(run: Observed, here: Here) -> str:
    """Round, stage and attempt in words."""
    at = here.cursor
    attempt = f", attempt {at.attempt}" if at.attempt > 1 else ""
    if at.stage is Stage.REPORT:
        return f"report{attempt}"
    return f"round {at.round} of {run.resource.spec.rounds}, {at.stage}{attempt}"


def _suspending(run: Observed, here: Here, at: str) -> Situation:
    if is_suspended(run, here):
        words = sentence(f"suspended at {at}", MEANINGS[Reason.SUSPENDED].remedy)
        return Situation(True, Reason.SUSPENDED, words, suspended=True)
    return Situation(False, Reason.SUSPENDED, sentence(f"suspending at {at}", waiting_for(here)))


def refused(run: Observed, here: Here, at: str) -> Situation | None:
    """The API server does not take the attempt's children: a wrong override, a quota, a policy, a foreign object."""
    refusal, name = run.refusal, job_name(run.resource.metadata, here.cursor)
    if refusal is None or refusal.job_name != name:
        return None
    words = one_line(refusal.message, _MAX_REFUSAL)
    remedy = MEANINGS[Reason.CHILD_REFUSED].remedy
    words = sentence(f"{at}: {name} cannot be created: {words}", remedy)
    return Situation(False, Reason.CHILD_REFUSED, words, stalled=refusal.invalid)


def _before_the_job(run: Observed, here: Here, at: str) -> tuple[Reason, str]:
    if here.others_alive:
        return Reason.PROGRESSING, sentence(f"{at} begins when what came before has ended", waiting_for(here))
    retry_at = here.cursor.retry_at
    if retry_at and time_to_retry(here.cursor, run.now) > timedelta(0):
        limit = run.resource.spec.failure_policy.max_restarts
        again = (
            f"restart {here.cursor.restarts} of {limit}"
            if here.cursor.restarts
            else "not counted as a restart"
        )
        return Reason.PROGRESSING, f"{at} begins at {retry_at:%H:%M:%S} UTC ({again})"
    return Reason.PENDING, f"{at}: its Job is being created"


def waiting_for(here: Here) -> str:
    """What still has to end. A pod on a node that is gone stays until somebody says so: two may never write side by side."""
    if not here.lingering:
        return ""
    pod = here.lingering[0]
    where = f" on node {pod.node}" if pod.node else ""
    others = f" and {len(here.lingering) - 1} more" if len(here.lingering) > 1 else ""
    return (
        f"waiting for pod {pod.name}{where}{others} to end; if the node is gone for good, delete the Node or force-delete "
        "the pod"
    )
