"""`reflect run`: observe, decide, act, on this machine, until the run has ended."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from reflection_api.contract import ProgressReport
from reflection_api.layout import child_name
from reflection_api.resource import ReflectionTraining
from reflection_api.status import Phase, ReflectionTrainingStatus

from ..children.build import build
from ..reconcile.decide import decide
from ..reconcile.decision import Attempt, Decision
from ..reconcile.observed import Observed
from ..reconcile.parse import job_from_object, pod_from_object
from ..reconcile.reports import merged
from ..settings import OperatorSettings
from .cluster import LocalCluster
from .display import Display
from .processes import Lifeline
from .records import Records, write_json
from .stages import stage_lines

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0
"""Progress is shown this often; `decide` is asked at least as often, which costs nothing here."""
_LOCK_SECONDS = 2.0
"""Patience with another runner's lock."""
_BEGIN_AGAIN = "run the same command again"
_GRACE_SECONDS = 6.0
"""Patience with stages on Ctrl-C: enough to save a small checkpoint, and nothing is left ten seconds later."""


class AlreadyRunning(Exception):
    """Another runner works in the same folder."""


@contextmanager
def locked(records: Records) -> Iterator[None]:
    """Hold the working folder for this runner alone; the kernel lets go of it when the runner dies.

    Raises:
        AlreadyRunning: another runner holds it.
        WorkdirUnusable: the folder cannot be written.
    """
    with records.writing():
        file = (records.workdir / "lock").open("a+")
    with file:
        # A runner that was killed while it started a process is outlived by its lock until that process has begun.
        given_up = time.monotonic() + _LOCK_SECONDS
        while not _take(file):
            if time.monotonic() >= given_up:
                file.seek(0)
                raise AlreadyRunning(
                    f"{records.workdir}: process {file.read().strip()} is running this already"
                )
            time.sleep(_POLL_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(file: TextIO) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class LocalRun:
    """One run in its working folder. The folder is everything that a later call needs to carry on."""

    def __init__(
        self, resource: ReflectionTraining, records: Records, display: Display, settings: OperatorSettings
    ) -> None:
        self._resource = resource
        self._records = records
        self._display = display
        self._settings = settings
        self._mark = str(records.workdir.resolve())
        self._cluster = LocalCluster(records, self._mark)

    def until_ended(self) -> ReflectionTraining:
        """Carry the run on to its end; the resource with its last status.

        Raises:
            KeyboardInterrupt: Ctrl-C; all processes are stopped and the folder can be carried on from.
        """
        self._cluster.adopt()
        lifeline = Lifeline(self._mark)
        try:
            while not self._ended():
                decision = self._step()
                if decision.look_again is None and not decision.create and not decision.delete:
                    break
                self._wait()
        except KeyboardInterrupt:
            self._display.line("Stopping: the stages save what they have ...")
            self._cluster.interrupt(_GRACE_SECONDS)
            raise
        finally:
            lifeline.release()
        return self._resource

    def _ended(self) -> bool:
        status = self._resource.status
        return status is not None and status.phase in (Phase.SUCCEEDED, Phase.FAILED)

    def _step(self) -> Decision:
        """One look: observe, decide, act in the order that reconcile/decision.py demands: the status is the memory."""
        decision = decide(self._observe())
        self._save(decision.status)
        for name in decision.delete:
            self._cluster.delete(name, grace=_GRACE_SECONDS)
        for attempt in decision.create:
            with self._records.writing():
                self._cluster.create(self._manifests(attempt))
        for event in decision.events:
            self._publish(event.type, event.reason, event.message)
        return decision

    def _observe(self) -> Observed:
        jobs = [job for item in self._cluster.job_objects() if (job := job_from_object(item)) is not None]
        pods = [pod for item in self._cluster.pod_objects() if (pod := pod_from_object(item)) is not None]
        reports = {job.name: merged(self._cluster.progress_files(job.name)) for job in jobs}
        now = datetime.now(UTC)
        current = self._resource.status.current if self._resource.status else None
        retry_at = current.retry_at if current else None
        self._display.progress(stage_lines(jobs, reports, now, retry_at=retry_at))
        return Observed(
            resource=self._resource,
            jobs=tuple(jobs),
            pods=tuple(pods),
            progress=self._current(reports),
            now=now,
            begin_again=_BEGIN_AGAIN,
        )

    def _current(self, reports: Mapping[str, ProgressReport | None]) -> ProgressReport | None:
        """The newest report of the attempt that the run is at, from its status."""
        status, metadata = self._resource.status, self._resource.metadata
        if status is None or status.current is None:
            return None
        at = status.current
        return reports.get(child_name(metadata.name, metadata.uid, at.round, at.stage, at.attempt))

    def _manifests(self, attempt: Attempt) -> list[dict[str, object]]:
        return build(
            self._resource, attempt.round, attempt.stage, attempt.attempt, attempt.restarts, self._settings
        )

    def _save(self, status: ReflectionTrainingStatus | None) -> None:
        if status == self._resource.status:
            return
        self._resource = self._resource.model_copy(update={"status": status})
        with self._records.writing():
            write_json(self._records.resource, self._resource.to_dict())

    def _publish(self, kind: str, reason: str, message: str) -> None:
        at = datetime.now(UTC)
        with self._records.writing(), self._records.events.open("a") as file:
            file.write(
                json.dumps({"at": at.isoformat(), "type": kind, "reason": reason, "message": message}) + "\n"
            )
        self._display.event(at, kind, reason, message)

    def _wait(self) -> None:
        """Until a process ends, at most until progress is due."""
        deadline = time.monotonic() + _LOOK_SECONDS
        while time.monotonic() < deadline:
            if self._cluster.poll():
                return
            time.sleep(_POLL_SECONDS)
