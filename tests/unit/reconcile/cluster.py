"""A cluster in memory: an API server that keeps old versions, a Job controller, kubelets, and our shell around `decide`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from reflection_api.layout import child_name
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import ReflectionTrainingStatus
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.decision import Attempt, Decision, EventRecord
from reflection_operator.reconcile.observed import (
    JobState,
    Observed,
    ObservedJob,
    ObservedPod,
    PodPhase,
    Terminated,
)

from .builders import T0, said


@dataclass(frozen=True)
class Seen:
    """What one look saw, and which versions of the resource and of the Jobs it saw."""

    run: Observed
    version: int
    jobs_version: int
    fresh: bool


class Cluster:
    """The truth. Every change of it is kept, so that a look can see any part of it as it was before."""

    def __init__(
        self, resource: ReflectionTraining, *, queue: bool, metrics: dict[Stage, dict[str, float]]
    ) -> None:
        self.now: datetime = T0
        self.resources = [resource]
        self.jobs: dict[str, ObservedJob] = {}
        self.pods: dict[str, ObservedPod] = {}
        self.queue = queue
        self.metrics = metrics
        self.completed: set[tuple[int, Stage]] = set()
        self.events: list[EventRecord] = []
        self._serial = 0
        self._old_jobs: list[tuple[ObservedJob, ...]] = [()]
        self._old_pods: list[tuple[ObservedPod, ...]] = [()]

    # The API server

    @property
    def resource(self) -> ReflectionTraining:
        return self.resources[-1]

    def look(self, jobs_age: int = 0, pods_age: int = 0, resource_age: int = 0) -> Seen:
        """See the run, each part as it was so many changes ago."""
        version = max(0, len(self.resources) - 1 - resource_age)
        seen = Observed(
            resource=self.resources[version],
            jobs=_aged(self._old_jobs, jobs_age),
            pods=_aged(self._old_pods, pods_age),
            progress=None,
            now=self.now,
        )
        jobs_version = max(0, len(self._old_jobs) - 1 - jobs_age)
        return Seen(seen, version, jobs_version, fresh=not (jobs_age or pods_age or resource_age))

    def write_status(self, status: ReflectionTrainingStatus | None) -> None:
        self.resources.append(self.resource.model_copy(update={"status": status}))

    def change_spec(self, **update: Any) -> None:
        metadata = self.resource.metadata
        metadata = metadata.model_copy(update={"generation": metadata.generation + 1})
        spec = self.resource.spec.model_copy(update=update)
        self.resources.append(self.resource.model_copy(update={"metadata": metadata, "spec": spec}))

    def kept(self) -> None:
        """Remember the truth as it is now."""
        self._old_jobs.append(tuple(self.jobs.values()))
        self._old_pods.append(tuple(self.pods.values()))

    # The shell, as decision.py asks for it

    def act(self, seen: Seen, decision: Decision, *, until: int = 4) -> list[Attempt]:
        """Carry a decision out and say what was created. `until` less than 4: the shell dies after that many steps."""
        if until >= 1 and not self._written(seen, decision):
            return []
        if until >= 2:
            known = {job.name: job for job in seen.run.jobs}
            for name in decision.delete:
                if name in self.jobs and self.jobs[name] == known[name]:
                    self.delete_job(name)
        created = [each for each in decision.create if self._create(each)] if until >= 3 else []
        if until >= 4:
            self.events += decision.events
        self.make_pods()
        return created

    def _written(self, seen: Seen, decision: Decision) -> bool:
        changed = decision.status != seen.run.resource.status
        if not (changed or decision.create):
            return True
        if seen.version != len(self.resources) - 1:
            return False
        if changed:
            self.write_status(decision.status)
        return True

    def _create(self, attempt: Attempt) -> bool:
        metadata = self.resource.metadata
        name = child_name(metadata.name, metadata.uid, attempt.round, attempt.stage, attempt.attempt)
        if name in self.jobs:
            return False
        self._serial += 1
        self.jobs[name] = ObservedJob(
            name=name,
            uid=f"job-{self._serial}",
            round=attempt.round,
            stage=attempt.stage,
            attempt=attempt.attempt,
            restarts=attempt.restarts,
            created_at=self.now,
            owners=() if attempt.stage is Stage.CLEANUP else (metadata.uid,),
            completions=self._pod_count(attempt.stage),
            suspended=self.queue,
            started_at=None if self.queue else self.now,
        )
        return True

    def _pod_count(self, stage: Stage) -> int:
        spec = self.resource.spec
        return {Stage.ROLLOUT: spec.rollout.workers, Stage.TRAIN: spec.training.nodes}.get(stage, 1)

    # The Job controller and the kubelets

    def live_jobs(self) -> list[ObservedJob]:
        return [job for job in self.jobs.values() if job.live]

    def unended_pods(self) -> list[ObservedPod]:
        return [pod for pod in self.pods.values() if not pod.ended]

    def pods_of(self, job: ObservedJob) -> list[ObservedPod]:
        return [pod for pod in self.pods.values() if pod.job_uid == job.uid]

    def make_pods(self) -> None:
        """The Job controller makes the pods that are missing, one for each index that has not succeeded."""
        for job in self.live_jobs():
            if job.suspended or job.deleting:
                continue
            taken = {pod.index for pod in self.pods_of(job) if pod.phase is not PodPhase.FAILED}
            for index in set(range(job.completions)) - taken:
                self._serial += 1
                name = f"{job.name}-{index}-{self._serial}"
                self.pods[name] = ObservedPod(
                    name=name, job_name=job.name, job_uid=job.uid, index=index, node="node-1"
                )
            self._count(job)
        self.kept()

    def start_pods(self) -> None:
        for pod in self.unended_pods():
            if pod.phase is PodPhase.PENDING and not pod.deleting:
                self.pods[pod.name] = replace(pod, phase=PodPhase.RUNNING)
        self.kept()

    def finish_pod(self, pod: ObservedPod) -> None:
        """A running pod succeeds; its Job is complete when all have."""
        job = self.jobs.get(pod.job_name)
        stage = job.stage if job else Stage.REPORT
        message = said(stage, metrics=self.metrics.get(stage, {}))
        self._end(pod, PodPhase.SUCCEEDED, Terminated(0, "Completed", message, self.now))
        if job and job.uid == pod.job_uid and job.live:
            done = {each.index for each in self.pods_of(job) if each.phase is PodPhase.SUCCEEDED}
            if done >= set(range(job.completions)):
                self.jobs[job.name] = replace(
                    job, state=JobState.COMPLETE, reason="CompletionsReached", finished_at=self.now, active=0
                )
                self.completed.add((job.round, job.stage))
            else:
                self._count(job)
        self.kept()

    def crash_pod(
        self, pod: ObservedPod, code: int, *, reason: str = "Error", disrupted: str | None = None
    ) -> None:
        """A pod fails; with it, unless it was disrupted outside a training, its Job and the pod's siblings."""
        end = Terminated(code, reason, "Traceback\nRuntimeError: boom", self.now)
        self._end(replace(pod, disrupted=disrupted), PodPhase.FAILED, end)
        job = self.jobs.get(pod.job_name)
        if job and job.uid == pod.job_uid and job.live and not (disrupted and job.stage is not Stage.TRAIN):
            self.jobs[job.name] = replace(
                job, state=JobState.FAILED, reason="BackoffLimitExceeded", finished_at=self.now, active=0
            )
            self._stop_pods(job)
        self.kept()

    def end_stopped_pods(self) -> None:
        """Pods that were told to stop have stopped; those of a deleted Job go, and so does a Job that waited for them."""
        for pod in self.unended_pods():
            if pod.deleting:
                self._end(pod, PodPhase.FAILED, Terminated(143, "Error", "", self.now))
        uids = {job.uid for job in self.jobs.values()}
        self.pods = {
            name: pod
            for name, pod in self.pods.items()
            if pod.job_uid in uids or not (pod.ended and pod.deleting)
        }
        for job in [job for job in self.jobs.values() if job.deleting]:
            if all(pod.ended for pod in self.pods_of(job)):
                self.delete_job(job.name)
        self.kept()

    def end_orphans(self) -> None:
        """Pods that were left alone by `--cascade=orphan` end when they have done their work: nobody stops them."""
        uids = {job.uid for job in self.jobs.values()}
        for pod in self.unended_pods():
            if pod.job_uid not in uids:
                self._end(pod, PodPhase.FAILED, Terminated(1, "Error", "", self.now))
        self.kept()

    def delete_job(self, name: str, *, how: str = "background") -> None:
        """Delete a Job as `kubectl delete --cascade` does: background, foreground or orphan."""
        job = self.jobs[name]
        if how != "orphan":
            self._stop_pods(job)
        if how == "foreground":
            self.jobs[name] = replace(job, deleting=True)
        else:
            del self.jobs[name]
        self.kept()

    def forget_ended_pods(self) -> None:
        self.pods = {pod.name: pod for pod in self.unended_pods()}
        self.kept()

    def hold(self, job: ObservedJob) -> None:
        """A queue takes a Job's quota away."""
        self._stop_pods(job)
        self.jobs[job.name] = replace(job, suspended=True, started_at=None, active=0)
        self.kept()

    def admit(self) -> None:
        """The queue has quota again for everything."""
        for job in self.live_jobs():
            if job.suspended:
                self.jobs[job.name] = replace(job, suspended=False, started_at=self.now)
        self.make_pods()

    def pass_time(self, time: timedelta) -> None:
        self.now += time

    def _stop_pods(self, job: ObservedJob) -> None:
        for pod in self.pods_of(job):
            if not pod.ended:
                self.pods[pod.name] = replace(pod, deleting=True)

    def _end(self, pod: ObservedPod, phase: PodPhase, end: Terminated) -> None:
        self.pods[pod.name] = replace(pod, phase=phase, terminated=end)

    def _count(self, job: ObservedJob) -> None:
        self.jobs[job.name] = replace(job, active=sum(not pod.ended for pod in self.pods_of(job)))


def step(cluster: Cluster) -> Decision:
    """One fresh look with everything that follows."""
    seen = cluster.look()
    decision = decide(seen.run)
    cluster.act(seen, decision)
    return decision


def work(cluster: Cluster) -> None:
    """Everything that is to run runs and succeeds."""
    cluster.end_stopped_pods()
    cluster.make_pods()
    cluster.start_pods()
    for pod in cluster.unended_pods():
        cluster.finish_pod(pod)


def _aged(versions: list[Any], age: int) -> Any:
    return versions[max(0, len(versions) - 1 - age)]
