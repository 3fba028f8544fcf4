"""One look at one run: observe, decide, carry out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from reflection_api.layout import child_name
from reflection_api.resource import API_VERSION, KIND, Metadata, ReflectionTraining
from reflection_api.status import ReflectionTrainingStatus

from ..children.build import build
from ..children.progress_place import ProgressPlace
from ..reconcile import deletion
from ..reconcile.cursor import job_name
from ..reconcile.decide import decide
from ..reconcile.decision import Attempt, Decision, EventRecord
from ..reconcile.milestones import STARTS
from ..reconcile.misunderstood import misunderstood
from ..reconcile.observed import Observed, Refusal
from ..settings import OperatorSettings
from .api import TRANSPORT_ERRORS, Api
from .children import ChildRefused, Children, NamespaceEnding
from .errors import ApiError
from .events import Events
from .kinds import JOBS, RUN_STATUS, RUNS
from .known import Known, StoredRun
from .measures import Measures
from .pod_refusals import PodRefusals, misses_pods
from .restoring import SLOW_START, Restoring
from .store import Store, View

_log = logging.getLogger(__name__)


class Stale(Exception):
    """The decision was taken from what is no longer so: look again at once."""


class _Doubt(NamedTuple):
    """A status of which nobody knows whether it was written: what is to be told if it was."""

    version: int
    """Of the resource before."""
    before: ReflectionTrainingStatus | None
    status: ReflectionTrainingStatus
    events: tuple[EventRecord, ...]
    at: datetime


_DOUBTS = 2
"""Of the first and of the last looks at one version of a resource, each a moment later than the one before: where requests
are cut off at the beginning of an outage or at its end, it is one of these that was written.
"""


class Reconciler:
    """Carries decisions out as reconcile/decision.py demands."""

    def __init__(
        self,
        api: Api,
        store: Store,
        events: Events,
        measures: Measures,
        settings: OperatorSettings,
        progress: Callable[[], ProgressPlace | None],
    ) -> None:
        """`progress` says where the pods of a Job that is created now report their progress."""
        self._api = api
        self._store = store
        self._events = events
        self._measures = measures
        self._children = Children(api, store)
        self._settings = settings
        self._progress = progress
        self._refusals: dict[str, Refusal] = {}
        self._owed: dict[str, tuple[EventRecord, ...]] = {}
        """What is to be told of a run, by its UID, as soon as its Job is there."""
        self._doubts: dict[str, list[_Doubt]] = {}
        """By the UID of the run, in the order of their looks; all of one version of the resource."""
        self._pod_refusals = PodRefusals(api)
        self._restoring = Restoring(self._children, settings, progress)

    async def reconcile(self, run: str) -> float | None:
        """Look at a run. Seconds until it is to be looked at again even if nothing is seen to change.

        Raises:
            Stale: something has changed meanwhile.
            ChildRefused: a child cannot be created now; the next look says so in the status.
            ApiError: the API server refused something else.
        """
        view = self._store.view(run)
        if view is None:
            self._refusals.pop(run, None)
            self._owed.pop(run, None)
            self._doubts.pop(run, None)
            self._restoring.forget(run)
            return None
        if view.run.value.resource is None:
            await self._say_misunderstood(view)
            return None
        resource = view.run.value.resource
        if deletion.finalizers(resource) != resource.metadata.finalizers:
            # With the answer it is looked at again: nothing may be written to the storage of a run that could vanish.
            await self._set_finalizers(view.run, deletion.finalizers(resource))
            return None
        await self._tell_what_was_written(view)
        await self._find_lost_jobs(view)
        seen = await self._observed(view, resource)
        decision = decide(seen)
        try:
            await self._carry_out(view, seen, decision)
        except NamespaceEnding:
            if deletion.is_held(resource.metadata):
                await self._give_up(view.run, resource)
            raise
        # After the decision, which a child that cannot be restored must not hold up.
        starting = not decision.delete and await self._restoring.restore_what_pods_wait_for(view, resource)
        starting = starting or any(misses_pods(job, seen.pods) for job in seen.jobs)
        if starting and decision.look_again:
            return min(decision.look_again, SLOW_START).total_seconds()
        return decision.look_again.total_seconds() if decision.look_again else None

    async def _observed(self, view: View, resource: ReflectionTraining) -> Observed:
        # Whole seconds, as all times in Kubernetes.
        now = datetime.now(UTC).replace(microsecond=0)
        jobs = tuple(job.value for job in view.jobs.values())
        place = view.run.namespace
        return Observed(
            resource=resource,
            jobs=await self._pod_refusals.noted(place, jobs, view.pods, now),
            pods=await self._pod_refusals.mounting(place, jobs, view.pods, now),
            progress=view.progress,
            now=now,
            refusal=self._refusals.get(view.run.uid),
        )

    async def _find_lost_jobs(self, view: View) -> None:
        """Pods that nobody has told to stop have a Job, even where it is not seen."""
        metadata = view.run.value.metadata
        lost = {
            pod.job_name
            for pod in view.pods
            if pod.job_name not in view.jobs and not (pod.ended or pod.deleting)
        }
        for name in sorted(lost):
            await self._children.reclaim(metadata, name)

    async def _say_misunderstood(self, view: View) -> None:
        stored = view.run.value
        if not stored.ours:
            return
        status = misunderstood(
            stored.metadata, stored.status, stored.problem, datetime.now(UTC).replace(microsecond=0)
        )
        if status != stored.status:
            await self._write_status(view.run, status)

    async def _carry_out(self, view: View, seen: Observed, decision: Decision) -> None:
        version, resource = view.run.version, seen.resource
        if decision.status is not None and decision.status != resource.status:
            doubts = self._doubts.setdefault(view.run.uid, [])
            doubts.append(_Doubt(version, resource.status, decision.status, decision.events, seen.now))
            del doubts[_DOUBTS:-_DOUBTS]
            version = await self._write_status(view.run, decision.status)
            del self._doubts[view.run.uid]
            self._measures.changed(resource.status, decision.status, seen.now)
        elif decision.create:
            await self._check_current(view)
        at = decision.status.current if decision.status else None
        # Its creation may have had no answer, so that another look finds the Job.
        due = decision.create or (at and job_name(resource.metadata, at) in view.jobs)
        owed = self._owed.pop(view.run.uid, ()) if due else ()
        told = (*owed, *decision.events)
        try:
            for name in decision.delete:
                await self._delete_job(view, name, surely=decision.let_go)
            for attempt in decision.create:
                await self._create(resource, attempt)
        except Exception:
            told = self._owe_starts(view.run.uid, told)
            raise
        finally:
            await self._tell(resource.metadata, told, version)
        if decision.delete_resource:
            await self._delete_run(view.run, version)
        if decision.let_go:
            await self._set_finalizers(view.run, deletion.without_ours(resource))

    def _owe_starts(self, run: str, told: Iterable[EventRecord]) -> tuple[EventRecord, ...]:
        """The change of status is a fact, only the Job is not there yet: whoever creates or finds it says so. What is left."""
        events = tuple(told)
        late = (event for event in events if event.reason in STARTS)
        self._owed[run] = (*self._owed.get(run, ()), *late)
        return tuple(event for event in events if event.reason not in STARTS)

    async def _tell_what_was_written(self, view: View) -> None:
        """Neither the answer to the status may have come nor that to the question what became of it."""
        doubts = self._doubts.get(view.run.uid)
        if not doubts or doubts[0].version == view.run.version:
            return
        del self._doubts[view.run.uid]
        for doubt in doubts:
            if doubt.status == view.run.value.status:
                self._measures.changed(doubt.before, doubt.status, doubt.at)
                told = self._owe_starts(view.run.uid, doubt.events)
                await self._tell(view.run.value.metadata, told, view.run.version)
                return

    async def _tell(self, run: Metadata, told: Iterable[EventRecord], version: int) -> None:
        for event in told:
            _log.log(
                logging.WARNING if event.type == "Warning" else logging.INFO,
                "%s: %s",
                event.reason,
                event.message,
            )
            await self._events.post(run, event, version)

    async def _write_status(self, run: Known[StoredRun], status: ReflectionTrainingStatus) -> int:
        """Replace the status unless the resource has changed since it was read; the version that it has then."""
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": run.name,
                "namespace": run.namespace,
                "uid": run.uid,
                "resourceVersion": str(run.version),
            },
            "status": status.to_dict(),
        }
        try:
            written = await self._api.update(RUN_STATUS, run.namespace, run.name, body)
        except (ApiError, *TRANSPORT_ERRORS) as error:
            if isinstance(error, ApiError) and not (error.conflict or error.not_found):
                raise
            version = await self._refresh(run)
            # It may have been written and the answer lost; then a connection that sends it once more hears of a conflict.
            # It must not count as somebody else's change, and is to be told.
            view = self._store.view(run.uid)
            if version is not None and view is not None and view.run.value.status == status:
                return version
            if isinstance(error, ApiError):
                raise Stale from error
            raise
        self._store.put(RUNS, written)
        return int(written["metadata"]["resourceVersion"])

    async def _check_current(self, view: View) -> None:
        """Without a status to write nothing else would notice that the decision was taken from an old resource."""
        if await self._refresh(view.run) != view.run.version:
            raise Stale

    async def _refresh(self, run: Known[StoredRun]) -> int | None:
        """Read the resource anew; its version, or None where it is gone."""
        try:
            found = await self._api.get(RUNS, run.namespace, run.name)
        except ApiError as error:
            if not error.not_found:
                raise
            self._store.remove(RUNS, run.uid, run.version)
            return None
        if found["metadata"]["uid"] != run.uid:
            self._store.remove(RUNS, run.uid, run.version)
        self._store.put(RUNS, found)
        return int(found["metadata"]["resourceVersion"])

    async def _delete_job(self, view: View, name: str, *, surely: bool) -> None:
        """Delete a Job, unless it has changed since it was seen; `surely`: no later look will see to it."""
        job = view.jobs[name]
        try:
            await self._api.delete(JOBS, job.namespace, name, uid=job.uid, version=str(job.version))
        except ApiError as error:
            if error.conflict and surely:
                raise Stale from error
            if error.conflict:
                return
            if not error.not_found:
                raise
        self._store.remove(JOBS, job.uid, job.version)

    async def _create(self, resource: ReflectionTraining, attempt: Attempt) -> None:
        run = resource.metadata
        objects = build(
            resource,
            attempt.round,
            attempt.stage,
            attempt.attempt,
            attempt.restarts,
            self._settings,
            self._progress(),
        )
        try:
            await self._children.create(run, objects)
        except ChildRefused as refused:
            name = child_name(run.name, run.uid, attempt.round, attempt.stage, attempt.attempt)
            self._refusals[run.uid] = Refusal(name, str(refused), refused.invalid)
            raise
        self._refusals.pop(run.uid, None)

    async def _set_finalizers(self, run: Known[StoredRun], finalizers: list[str]) -> None:
        """Replace the finalizers, unless the resource has changed since it was read."""
        change = {"metadata": {"finalizers": finalizers, "resourceVersion": str(run.version)}}
        try:
            written = await self._api.patch(RUNS, run.namespace, run.name, change)
        except ApiError as error:
            if error.conflict or error.not_found:
                await self._refresh(run)
                raise Stale from error
            raise
        self._store.put(RUNS, written)

    async def _give_up(self, run: Known[StoredRun], resource: ReflectionTraining) -> None:
        """Nothing can be created any more in a namespace that is being deleted, and it must not wait for us for ever."""
        _log.warning(
            "the namespace is being deleted before the artefacts were: they stay in %s",
            deletion.folder(resource),
        )
        await self._set_finalizers(run, deletion.without_ours(resource))

    async def _delete_run(self, run: Known[StoredRun], version: int) -> None:
        """Delete the resource unless it has changed since it was read, or written by us."""
        try:
            await self._api.delete(RUNS, run.namespace, run.name, uid=run.uid, version=str(version))
        except ApiError as error:
            if error.conflict:
                raise Stale from error
            if not error.not_found:
                raise
        # A look before its end is heard of would ask for it again. One that finalizers hold has a newer version.
        self._store.remove(RUNS, run.uid, version)
