"""The operator as a process: wait to be the leader, watch and work, stop in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .children.progress_place import ProgressPlace
from .kube.api import Api, read_deep_answers
from .kube.connection import kubeconfig_path, load
from .kube.controller import WATCHED, Controller
from .kube.health import HealthServer
from .kube.lease import Leader
from .kube.metrics import Metrics
from .kube.options import Options
from .kube.watches import Watches
from .main import watch
from .progress.endpoint import ProgressEndpoint

_KOPF_STOP_SECONDS = 10

_log = logging.getLogger(__name__)


class Operator:
    """One replica."""

    def __init__(self, options: Options, configuration: Any) -> None:
        self._options = options
        self._configuration = configuration
        self._metrics = Metrics()
        self._stop = asyncio.Event()
        self._leading = False
        self._lease_api = Api(configuration, self._metrics)
        self._leader = Leader(
            self._lease_api,
            options.lease_namespace,
            options.lease_name,
            options.identity,
            options.lease_times,
        )
        self._api = Api(configuration, self._metrics, self._may_write)
        self._controller = Controller(self._api, self._metrics, options, self._progress_place)
        self._progress = (
            ProgressEndpoint(self._api, self._metrics, options, self._controller.store.report)
            if options.progress_url
            else None
        )
        self._watches = Watches(
            tuple(WATCHED),
            len(options.places),
            self._metrics,
            relisted=self._controller.relist,
            recovered=self._controller.recovered,
        )

    def problems(self) -> list[str]:
        """What only a restart can mend."""
        if not (self._leading and self._watches.expected):
            return []
        limit = self._options.watch_dead_seconds
        return [
            f"nothing was heard of {name} for {age:.0f} s"
            for name, age in self._watches.ages().items()
            if age > limit
        ]

    def not_ready(self) -> list[str]:
        """What keeps this replica from doing its part. One that waits for its turn does it."""
        if not self._leading:
            return []
        return self.problems() if self._controller.listed else ["not everything is listed yet"]

    def phases(self) -> Mapping[str, int]:
        return self._controller.store.phases()

    def watch_ages(self) -> Mapping[str, float]:
        return self._watches.ages() if self._leading else {}

    async def run(self) -> int:
        """Run until a signal or the loss of the leadership; the exit code."""
        health = HealthServer(self, self._metrics)
        port = await health.start(self._options.health_host, self._options.health_port)
        _log.info("health and metrics on port %d", port)
        self._take_signals()
        try:
            return await self._lead() if await self._wait_for_turn() else 0
        finally:
            await health.stop()
            await self._api.close()
            await self._lease_api.close()

    def _progress_place(self) -> ProgressPlace | None:
        return self._progress.place if self._progress else None

    def _may_write(self) -> bool:
        return self._leader.may_act or not self._options.leader_election

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop.set)

    async def _wait_for_turn(self) -> bool:
        """Whether this replica has become the leader; False when it was told to stop before."""
        if not self._options.leader_election:
            return True
        await _first(self._leader.acquire(), self._stop.wait())
        return not self._stop.is_set()

    async def _lead(self) -> int:
        self._leading = True
        self._metrics.leading(True)
        keep = asyncio.create_task(self._leader.keep() if self._options.leader_election else _for_ever())
        # kopf looks for the kinds once, when it starts: only after the first list they are sure to be there.
        await _first(self._controller.fill(), self._stop.wait(), _ended(keep))
        if not (self._stop.is_set() or keep.done()):
            self._watches.expect()
            await self._work_until_told(keep)
        failed = not self._stop.is_set()
        await _cancelled(keep)
        if self._options.leader_election:
            await self._leader.release()
        return 1 if failed else 0

    async def _work_until_told(self, keep: asyncio.Task[None]) -> None:
        """Work until a signal, the loss of the leadership, or a failure of a part."""
        ready, stop = asyncio.Event(), asyncio.Event()
        if self._progress:
            # Before the first Job is created, whose pods are to know where they report.
            await self._progress.prepare()
        reports = asyncio.create_task(self._progress.keep() if self._progress else _for_ever())
        work = asyncio.create_task(self._controller.work(), name="working")
        watching = asyncio.create_task(
            watch(self._controller, self._configuration, self._watches, self._options, ready, stop),
            name="watching",
        )
        # kopf takes the signals when it starts, and would stop before the workers have finished.
        await _first(ready.wait(), _ended(watching))
        self._take_signals()
        await _first(self._stop.wait(), _ended(work), _ended(keep), _ended(watching))
        _log.info("stopping")
        await _cancelled(reports)
        if self._progress:
            await self._progress.stop()
        await _cancelled(work)
        stop.set()
        await asyncio.wait([watching], timeout=_KOPF_STOP_SECONDS)
        for task in (work, watching):
            if task.done() and not task.cancelled() and task.exception():
                _log.error("%s ended with an error", task.get_name(), exc_info=task.exception())


async def _first(*things: Any) -> None:
    """Wait for the first of several things and drop the others."""
    tasks = [asyncio.ensure_future(thing) for thing in things]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def _ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def run(options: Options) -> int:
    """Run one replica; the exit code."""
    read_deep_answers()
    configuration = await load(kubeconfig_path(options.kubeconfig))
    return await Operator(options, configuration).run()
