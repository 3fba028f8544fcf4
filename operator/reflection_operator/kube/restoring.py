"""A pod whose ConfigMap or Service is gone waits without a word in its status, for ever: what it needs is created again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage

from ..children.build import build
from ..children.progress_place import ProgressPlace
from ..reconcile.observed import ObservedJob, ObservedPod
from ..settings import OperatorSettings
from .children import Children
from .pod_refusals import waits_on_its_node
from .store import View

SLOW_START = timedelta(seconds=20)
"""Pods that wait for less are only slow."""


class Restoring:
    """Looks after the pods that have a node and do not start."""

    def __init__(
        self, children: Children, settings: OperatorSettings, progress: Callable[[], ProgressPlace | None]
    ) -> None:
        self._children = children
        self._settings = settings
        self._progress = progress
        self._last: dict[str, dict[str, datetime]] = {}
        """When it was last made sure that the pods of a Job have what they need to start, by the UIDs of its run and of it."""

    async def restore_what_pods_wait_for(self, view: View, resource: ReflectionTraining) -> bool:
        """Create again what is gone of it.

        Returns:
            Whether there are pods that wait, which may only be slow.
        """
        now, before = datetime.now(UTC), self._last.pop(view.run.uid, {})
        stuck = {
            known.uid: (known.value, pods)
            for name, known in view.jobs.items()
            if (pods := waiting(known.value, (pod for pod in view.pods if pod.job_name == name)))
        }
        if not stuck:
            return False
        last = self._last[view.run.uid] = {uid: at for uid, at in before.items() if uid in stuck}
        for uid, (job, pods) in stuck.items():
            if wait_in_vain(job, pods, last.get(uid), now):
                last[uid] = now
                attempt = (job.round, job.stage, job.attempt, job.restarts)
                objects = build(as_begun(resource, job), *attempt, self._settings, self._progress())
                await self._children.restore(resource.metadata, objects)
        return True

    def forget(self, run: str) -> None:
        """A run that will not come again: its pods may have waited to the last."""
        self._last.pop(run, None)


def as_begun(resource: ReflectionTraining, job: ObservedJob) -> ReflectionTraining:
    """The resource with as many workers as the Job has: the spec may say otherwise by now, and its pods make one dataset."""
    if job.stage is not Stage.ROLLOUT:
        return resource
    rollout = resource.spec.rollout.model_copy(update={"workers": job.completions})
    return resource.model_copy(update={"spec": resource.spec.model_copy(update={"rollout": rollout})})


def waiting(job: ObservedJob, pods: Iterable[ObservedPod]) -> list[ObservedPod]:
    """The pods of a Job that wait on their nodes, whatever has become of the others: one may come long after them."""
    return [pod for pod in pods if waits_on_its_node(pod)] if job.live else []


def wait_in_vain(job: ObservedJob, pods: Iterable[ObservedPod], last: datetime | None, now: datetime) -> bool:
    """Whether one has waited for too long, since it was created and since all that it needs was last there."""
    begun = (pod.created_at or job.started_at or job.created_at for pod in pods)
    return any(now - max(since, last or since) > SLOW_START for since in begun)
