"""What the attempt came to, once its Job has ended."""

from __future__ import annotations

from datetime import timedelta

from reflection_api.reasons import CRASHED
from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus

from .advance import after_completion
from .cursor import Here
from .failure import Failure, diagnose, failed_for_good
from .gates import needs_figures
from .observed import PODS_LAG, JobState, Observed, ObservedJob, ObservedPod
from .restart import after_failure
from .results import results
from .step import Step

SOON = timedelta(seconds=1)


def settle(run: Observed, status: ReflectionTrainingStatus, here: Here) -> Step:
    """The step that the attempt's Job calls for: none while it is at work."""
    job = here.job
    if job is None or here.live:
        return Step(status)
    if pods_late(run, job, here.pods):
        return Step(status, wait=SOON)
    if job.state is JobState.FAILED:
        return after_failure(run, status, here.cursor, diagnose(job, here.pods))
    parts = results(job, here.pods)
    if parts is None and job.stage is Stage.EVALUATE and needs_figures(run.resource.spec.evaluation.gates):
        return after_failure(run, status, here.cursor, _figures_lost(job))
    return after_completion(run, status, here, parts)


def pods_late(run: Observed, job: ObservedJob, pods: tuple[ObservedPod, ...]) -> bool:
    """Whether the end of a Job is seen, and how its pods ended will be in a moment."""
    lately = job.finished_at is not None and abs(run.now - job.finished_at) < PODS_LAG
    return lately and not _pods_seen(job, pods)


def _pods_seen(job: ObservedJob, pods: tuple[ObservedPod, ...]) -> bool:
    """Whether the pods are seen to have ended as their Job says."""
    if job.state is JobState.FAILED:
        return all(pod.ended for pod in pods) and any(failed_for_good(pod) for pod in pods)
    return {pod.index for pod in pods if pod.ended and not failed_for_good(pod)} >= set(
        range(job.completions)
    )


def _figures_lost(job: ObservedJob) -> Failure:
    """The gates cannot be checked. Evaluating again is cheap, since the answers are in storage."""
    words = f"Job {job.name} is complete, but its pod was deleted before its figures were read"
    return Failure(CRASHED[Stage.EVALUATE], words)
