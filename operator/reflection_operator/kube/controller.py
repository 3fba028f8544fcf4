"""Everything that works together while this operator is the leader: a store that is kept up to date, a queue, workers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ..children.labels import UID_LABEL
from ..children.progress_place import ProgressPlace
from .api import TRANSPORT_ERRORS, Api
from .children import ChildRefused, NamespaceEnding
from .errors import ApiError, NotSent
from .events import Events
from .kinds import JOBS, PODS, RUNS, Kind
from .logs import current_run
from .measures import Measures
from .metrics import Metrics
from .options import Options
from .reconciler import Reconciler, Stale
from .store import Store
from .work_queue import WorkQueue

WATCHED = {RUNS: "", JOBS: UID_LABEL, PODS: UID_LABEL}
"""What is watched, and the label that is asked for."""
_LIST_AGAIN_SECONDS = 5.0
_DRAIN_SECONDS = 15.0
_LONG = 60.0
_REFUSED = (
    "nothing is done in namespace %s until its Role is there (again): %s. Where the namespace is being deleted, a run with "
    "deletionPolicy: Delete may hold it: `kubectl patch rt NAME -n %s --type=merge -p "
    """'{"metadata": {"finalizers": null}}'` lets go of it"""
)

_log = logging.getLogger(__name__)


class Controller:
    """Reconciles all runs."""

    def __init__(
        self, api: Api, metrics: Metrics, options: Options, progress: Callable[[], ProgressPlace | None]
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._options = options
        self._queue = WorkQueue()
        self.store = Store(self._queue.add)
        events = Events(api, options.identity)
        self._reconciler = Reconciler(api, self.store, events, Measures(metrics), options, progress)
        self._relisted = asyncio.Event()
        self._listed = False
        self._refused: set[str] = set()
        metrics.queue_depth(lambda: len(self._queue))

    @property
    def listed(self) -> bool:
        """Whether the store has been filled: before that nothing may be decided."""
        return self._listed

    def seen(self, kind: Kind, event: Mapping[str, Any]) -> None:
        """A watch tells about an object."""
        if event["type"] == "DELETED":
            self.store.gone(kind, event["object"])
        else:
            self.store.put(kind, event["object"])

    def relist(self) -> None:
        """A watch was interrupted for so long that it had to begin anew: what was deleted meanwhile it does not tell."""
        self._relisted.set()

    def recovered(self) -> None:
        """The API server is heard again: of a run whose write failed meanwhile no watch tells, since it is as it was."""
        self._queue.hurry()

    async def fill(self) -> None:
        """List everything, as often as it takes."""
        while True:
            try:
                await self._list_all()
            except (ApiError, *TRANSPORT_ERRORS) as error:
                asked = (error.retry_after if isinstance(error, ApiError) else None) or 0.0
                wait = max(_LIST_AGAIN_SECONDS, asked)
                _log.warning("%s; trying again in %.0f s", _in_words(error), wait)
                await asyncio.sleep(wait)
            else:
                level = logging.DEBUG if self._listed else logging.INFO
                _log.log(level, "found %d runs", len(self.store.keys()))
                self._listed = True
                return

    async def work(self) -> None:
        """Reconcile what is found until cancelled; what is being carried out then is carried out to its end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_up_to_date())
            for _ in range(self._options.workers):
                group.create_task(self._worker())

    async def _stay_up_to_date(self) -> None:
        while True:
            pause = self._options.resync_seconds * random.uniform(0.9, 1.1)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._relisted.wait(), pause)
            # The watches of all kinds begin anew at about the same time: one list serves them all.
            await asyncio.sleep(1.0)
            self._relisted.clear()
            await self.fill()

    async def _list_all(self) -> None:
        """List all kinds of all namespaces. One that this operator may not read is left out, as long as there are others."""
        seen: dict[Kind, set[str]] = {kind: set() for kind in WATCHED}
        versions: dict[Kind, list[int]] = {kind: [] for kind in WATCHED}
        refused: dict[str, ApiError] = {}
        for place in self._options.places:
            try:
                found = [await self._list(kind, place, versions[kind]) for kind in WATCHED]
            except ApiError as error:
                if place is None or error.status != 403:
                    raise
                refused[place] = error
            else:
                for uids, more in zip(seen.values(), found, strict=True):
                    uids |= more
        if len(refused) == len(self._options.places):
            raise next(iter(refused.values()))
        # Runs first, and nothing in between: a run whose Jobs are not seen any more would be taken for one that lost them.
        for kind, uids in seen.items():
            self.store.sweep(kind, uids, min(versions[kind]), refused)
        self._tell_of(refused)

    async def _list(self, kind: Kind, place: str | None, versions: list[int]) -> set[str]:
        """Put what there is of a kind into the store; the uids."""
        seen: set[str] = set()
        async for objects, version in self._api.pages(kind, place, WATCHED[kind]):
            versions.append(version)
            for obj in objects:
                seen.add(obj["metadata"]["uid"])
                self.store.put(kind, obj)
        return seen

    def _tell_of(self, refused: Mapping[str, ApiError]) -> None:
        for place in refused.keys() - self._refused:
            _log.warning(_REFUSED, place, refused[place], place)
        for place in self._refused - refused.keys():
            _log.info("namespace %s can be read again", place)
        self._refused = set(refused)

    async def _worker(self) -> None:
        while True:
            key = await self._queue.get()
            # A worker that is told to stop finishes what it has begun: half of a decision costs a look more.
            await _to_the_end(self._look_at(key))

    async def _look_at(self, key: str) -> None:
        began, view = time.monotonic(), None
        current_run.set("")
        try:
            view = self.store.view(key)
            current_run.set(f"{view.run.namespace}/{view.run.name}" if view else "")
            wait = await self._reconciler.reconcile(key)
        except Exception as error:  # noqa: BLE001 - one run must not stop the others
            self._failed(key, error)
        else:
            self._queue.succeeded(key)
            if wait is not None:
                spread = random.uniform(1.0, 1.1) if wait >= _LONG else 1.0
                self._queue.add_after(key, wait * spread)
            elif view is None:
                self._queue.forget(key)
        finally:
            self._metrics.reconciled(time.monotonic() - began)
            self._queue.done(key)

    def _failed(self, key: str, error: Exception) -> None:
        match error:
            case Stale():
                self._queue.retry(key)
            case NamespaceEnding():
                _log.info("nothing is done: %s", error)
            case NotSent():
                # A Lease of ours that is renewed late makes us the leader again, and nothing else would bring this run back.
                _log.info("not done, and tried again in %.1f s: %s", self._queue.retry(key), error)
            case ChildRefused():
                self._metrics.failed("refused")
                wait = self._queue.retry(key)
                _log.warning("refused, and tried again in %.1f s or when something changes: %s", wait, error)
            case ApiError():
                self._metrics.failed("api")
                wait = self._queue.retry(key, at_least=error.retry_after or 0.0)
                _log.warning("tried again in %.1f s: %s", wait, error)
            case _ if isinstance(error, TRANSPORT_ERRORS):
                self._metrics.failed("connection")
                wait = self._queue.retry(key)
                _log.warning("tried again in %.1f s: %r", wait, error)
            case _:
                self._metrics.failed("bug")
                wait = self._queue.retry(key)
                _log.error("tried again in %.1f s", wait, exc_info=error)


async def _to_the_end(work: Any) -> None:
    """Await a task that goes on when the awaiting one is cancelled, for a while."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_DRAIN_SECONDS)
        task.cancel()
        raise


def _in_words(error: BaseException) -> str:
    if isinstance(error, ApiError) and error.not_found:
        return (
            f"{error}; is the CustomResourceDefinition installed? `reflect crd | kubectl apply -f -` does it"
        )
    return str(error) or repr(error)
