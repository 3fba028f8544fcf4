"""Why the pods of a Job are not created: its controller tells by events alone, and no condition of the Job says a word."""

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
_FIELDS = "reason=FailedCreate,involvedObject.kind=Job"
_FRESH_SECONDS = 15.0
"""One list serves all Jobs of a namespace for so long."""

_log = logging.getLogger(__name__)


class PodRefusals:
    """What the API server said to the Job controller, by namespace."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._found: dict[str, tuple[float, dict[str, str]]] = {}

    async def noted(
        self, namespace: str, jobs: Iterable[ObservedJob], pods: Iterable[ObservedPod], now: datetime
    ) -> tuple[ObservedJob, ...]:
        """The Jobs, those that miss pods with the reason, where there is one."""
        jobs, pods = tuple(jobs), tuple(pods)
        due = {job.uid for job in jobs if misses_pods(job, pods) and now - _begun(job) >= _FIRST_LOOK}
        said = await self._of(namespace) if due else {}
        return tuple(
            replace(job, pods_refused=said.get(job.uid, "")) if job.uid in due else job for job in jobs
        )

    async def _of(self, namespace: str) -> Mapping[str, str]:
        """The newest message for each Job, by its UID."""
        async with self._locks[namespace]:
            listed, found = self._found.get(namespace, (None, {}))
            if listed is None or self._clock() - listed >= _FRESH_SECONDS:
                try:
                    found = await self._list(namespace)
                except (ApiError, *TRANSPORT_ERRORS) as error:
                    # A run never waits for an explanation of why it waits.
                    _log.warning("why pods are not created in %s cannot be read: %s", namespace, error)
                self._found[namespace] = (self._clock(), found)
            return found

    async def _list(self, namespace: str) -> dict[str, str]:
        newest: dict[str, tuple[str, str]] = {}
        async for events, _ in self._api.pages(EVENTS, namespace, fields=_FIELDS):
            for event in events:
                about = str(event["involvedObject"].get("uid", ""))
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


def _begun(job: ObservedJob) -> datetime:
    return job.started_at or job.created_at
