"""Why pods are not created, or get no volume: told by events alone, and no status says a word of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ..reconcile.observed import ObservedJob, ObservedPod, PodPhase
from .api import TRANSPORT_ERRORS, Api
from .errors import ApiError
from .kinds import EVENTS

_FIRST_LOOK = timedelta(seconds=5)
"""Age of a Job whose pods are missed. A busy controller takes longer: a look more harms nobody."""
_OF_JOBS = "reason=FailedCreate,involvedObject.kind=Job"
_OF_PODS = "reason=FailedMount,involvedObject.kind=Pod"
_FRESH_SECONDS = 15.0
"""One list serves all runs of a namespace for so long."""
_KEPT_SECONDS = 900.0
"""What was not asked for in this time is forgotten: while pods wait somebody asks at every look, and namespaces come and go."""

_log = logging.getLogger(__name__)


class PodRefusals:
    """What the Job controller and the kubelet said, by namespace."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._found: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    async def noted(
        self, namespace: str, jobs: Iterable[ObservedJob], pods: Iterable[ObservedPod], now: datetime
    ) -> tuple[ObservedJob, ...]:
        """The Jobs, those that miss pods with the reason, where there is one."""
        jobs, pods = tuple(jobs), tuple(pods)
        due = {job.uid for job in jobs if misses_pods(job, pods) and now - _begun(job) >= _FIRST_LOOK}
        said = await self._said(namespace, _OF_JOBS, "uid") if due else {}
        return tuple(
            replace(job, pods_refused=said.get(job.uid, "")) if job.uid in due else job for job in jobs
        )

    async def mounting(
        self, namespace: str, jobs: Iterable[ObservedJob], pods: Iterable[ObservedPod], now: datetime
    ) -> tuple[ObservedPod, ...]:
        """The pods, those that wait on their node for no reason that is seen with what the kubelet lacks."""
        pods = tuple(pods)
        old = {job.name for job in jobs if now - _begun(job) >= _FIRST_LOOK}
        due = {pod.name for pod in pods if pod.job_name in old and waits_on_its_node(pod)}
        said = await self._said(namespace, _OF_PODS, "name") if due else {}
        return tuple(
            replace(pod, mounts_refused=said.get(pod.name, "")) if pod.name in due else pod for pod in pods
        )

    async def _said(self, namespace: str, fields: str, key: str) -> Mapping[str, str]:
        """The newest message for each object, by its UID or its name."""
        about = (namespace, fields)
        self._forget_old()
        async with self._locks[about]:
            listed, found = self._found.get(about, (None, {}))
            if listed is None or self._clock() - listed >= _FRESH_SECONDS:
                try:
                    found = await self._list(namespace, fields, key)
                except (ApiError, *TRANSPORT_ERRORS) as error:
                    # A run never waits for an explanation of why it waits.
                    _log.warning("why pods do not start in %s cannot be read: %s", namespace, error)
                self._found[about] = (self._clock(), found)
            return found

    def _forget_old(self) -> None:
        old = self._clock() - _KEPT_SECONDS
        for about in [about for about, (listed, _) in self._found.items() if listed < old]:
            if not self._locks[about].locked():
                del self._found[about], self._locks[about]

    async def _list(self, namespace: str, fields: str, key: str) -> dict[str, str]:
        newest: dict[str, tuple[str, str]] = {}
        async for events, _ in self._api.pages(EVENTS, namespace, fields=fields):
            for event in events:
                about = str(event["involvedObject"].get(key, ""))
                told = (
                    str(event.get("lastTimestamp") or event.get("eventTime") or ""),
                    str(event.get("message", "")),
                )
                newest[about] = max(told, newest.get(about, told))
        return {about: message for about, (_, message) in newest.items()}


def misses_pods(job: ObservedJob, pods: Iterable[ObservedPod]) -> bool:
    """Whether a Job that may start pods has fewer than it needs."""
    if not job.live or job.suspended or job.deleting:
        return False
    there = sum(pod.job_name == job.name and pod.phase is not PodPhase.FAILED for pod in pods)
    return there < job.completions


def waits_on_its_node(pod: ObservedPod) -> bool:
    """Whether a pod has a node, does not run, and its status does not say why."""
    return pod.phase is PodPhase.PENDING and bool(pod.node) and pod.waiting is None and not pod.deleting


def _begun(job: ObservedJob) -> datetime:
    return job.started_at or job.created_at
