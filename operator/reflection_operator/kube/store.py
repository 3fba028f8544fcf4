"""What is known of the cluster: the resources, and by run their Jobs and pods, read once and kept small.

It is filled by lists and kept up to date by watches and by the answers to our own writes, so that a write is not forgotten
because its echo is late. The newest version of an object wins, in whatever order they arrive.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from reflection_api.contract import ProgressReport

from ..reconcile.observed import ObservedJob, ObservedPod
from ..reconcile.reports import merged
from .kinds import JOBS, PODS, RUNS, Kind
from .known import Known, PackedRun, StoredRun, identity_of, read, unpacked

_DELETED_KEPT = 20_000
_REPORTS_APART_S = 5.0


@dataclass(frozen=True, slots=True)
class View:
    """One run as it is known now."""

    run: Known[StoredRun]
    jobs: Mapping[str, Known[ObservedJob]]
    """By name."""
    pods: tuple[ObservedPod, ...]
    progress: ProgressReport | None = None
    """Of the Job whose pods have reported last."""


@dataclass(slots=True)
class _Family:
    """Everything that carries the UID of one run, by kind and own UID."""

    members: dict[str, dict[str, Known[Any]]] = field(
        default_factory=lambda: {kind.plural: {} for kind in (RUNS, JOBS, PODS)}
    )

    reports: dict[str, ProgressReport] = field(default_factory=dict)
    """The newest report of each pod, by its UID, in the order in which they came."""
    told: float = -math.inf
    """When a report was last worth a look at the run."""

    @property
    def run(self) -> Known[PackedRun] | None:
        return next(iter(self.members[RUNS.plural].values()), None)

    @property
    def empty(self) -> bool:
        return not any(self.members.values())


class Store:
    """All runs."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        """Start empty; `changed` is called with the UID of a run each time that its view has changed."""
        self._changed = changed
        self._families: dict[str, _Family] = {}
        self._belongs: dict[str, str] = {}
        """Run of each object, by their UIDs."""
        self._deleted: OrderedDict[str, int] = OrderedDict()
        """Version at which an object was seen to be gone: what is told about it late does not bring it back."""

    def keys(self) -> list[str]:
        """The runs whose resource exists."""
        return [uid for uid, family in self._families.items() if family.run]

    def phases(self) -> Counter[str]:
        """How many runs do what."""
        return Counter(family.run.value.phase or "New" for family in self._families.values() if family.run)

    def view(self, run: str) -> View | None:
        """A run as it is known now; None where its resource does not exist."""
        family = self._families.get(run)
        if family is None or family.run is None:
            return None
        # Anybody can put the label of a run on objects of a namespace of his own.
        namespace = family.run.namespace
        jobs, pods = (
            [each for each in family.members[kind.plural].values() if each.namespace == namespace]
            for kind in (JOBS, PODS)
        )
        return View(
            run=unpacked(family.run),
            progress=_newest(family),
            # Of two with one name the older is gone, and only nobody has said so yet.
            jobs={each.name: each for each in sorted(jobs, key=lambda job: job.version)},
            pods=tuple(each.value for each in sorted(pods, key=lambda pod: pod.name)),
        )

    def put(self, kind: Kind, obj: Mapping[str, Any]) -> None:
        """Take over an object, unless it is known in this version or a newer one."""
        identity = identity_of(kind, obj)
        if identity is None or identity.version <= self._deleted.get(identity.uid, -1):
            return
        old = self._find(kind, identity.uid)
        if old and old.version >= identity.version:
            return
        value = read(kind, obj)
        if value is None:
            # It was a child, and somebody has taken away the labels that make it one.
            self._forget(kind, identity.uid)
            return
        if old and old.run != identity.run:
            self._forget(kind, identity.uid)
        family = self._families.setdefault(identity.run, _Family())
        family.members[kind.plural][identity.uid] = Known(*identity, value)
        self._belongs[identity.uid] = identity.run
        self._changed(identity.run)

    def gone(self, kind: Kind, obj: Mapping[str, Any]) -> None:
        """A watch says that an object does not exist any more, or has lost the label by which it is watched."""
        identity = identity_of(kind, obj)
        if identity:
            self.remove(kind, identity.uid, identity.version)

    def remove(self, kind: Kind, uid: str, version: int) -> None:
        """Forget an object that does not exist any more, whatever is still told about it up to this version.

        One of which something newer was told already is there all the same: a finalizer holds it, and nothing more is told.
        """
        known = self._find(kind, uid)
        if known and known.version > version:
            return
        self._deleted[uid] = max(version, self._deleted.pop(uid, -1))
        while len(self._deleted) > _DELETED_KEPT:
            self._deleted.popitem(last=False)
        self._forget(kind, uid)

    def report(self, pod: str, report: ProgressReport) -> bool:
        """Take over what the pod of a UID reports; False where no Job of a run has one.

        Many reports are worth one look in a while.
        """
        run = self._belongs.get(pod)
        family = self._families.get(run) if run else None
        known = family.members[PODS.plural].get(pod) if family else None
        if run is None or family is None or family.run is None or known is None:
            return False
        # Anybody can put the label of a run on pods of a namespace of his own, and a pod that copies labels has no Job.
        job = family.members[JOBS.plural].get(known.value.job_uid)
        if job is None or not known.namespace == job.namespace == family.run.namespace:
            return False
        family.reports.pop(pod, None)
        family.reports[pod] = report.model_copy(update={"index": known.value.index})
        now = time.monotonic()
        if now - family.told >= _REPORTS_APART_S:
            family.told = now
            self._changed(run)
        return True

    def sweep(self, kind: Kind, listed: Container[str], version: int, unread: Container[str] = ()) -> None:
        """Forget what a complete list as of a version lacks; what is newer than the list stays.

        What is in a namespace that could not be read is forgotten, too, but need not be gone: it is taken over again as it is.
        """
        every = [each for family in self._families.values() for each in family.members[kind.plural].values()]
        for each in every:
            if each.namespace in unread:
                self._forget(kind, each.uid)
            elif each.uid not in listed and each.version <= version:
                self.remove(kind, each.uid, version)

    def _find(self, kind: Kind, uid: str) -> Known[Any] | None:
        family = self._families.get(self._belongs.get(uid, ""))
        return family.members[kind.plural].get(uid) if family else None

    def _forget(self, kind: Kind, uid: str) -> None:
        run = self._belongs.pop(uid, None)
        family = self._families.get(run) if run else None
        if run is None or family is None or family.members[kind.plural].pop(uid, None) is None:
            return
        family.reports.pop(uid, None)
        if family.empty:
            del self._families[run]
        self._changed(run)


def _newest(family: _Family) -> ProgressReport | None:
    """One report for the Job that was heard of last: what its pods have done together."""
    if not family.reports:
        return None
    pods = family.members[PODS.plural]
    # Not by the times that they name: one from the future would hide all others.
    job = pods[next(reversed(family.reports))].value.job_uid
    return merged([report for uid, report in family.reports.items() if pods[uid].value.job_uid == job])
