"""What kopf does: it watches the resources, their Jobs and their pods, and hands on what it sees. A handler does nothing else.

Handlers on events alone leave no finalizer and no annotation on anything, and whatever they miss is found by the next list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from .kube.api import PAGE
from .kube.connection import connection_info, watching_session
from .kube.controller import WATCHED, Controller
from .kube.kinds import JOBS, PODS, RUNS
from .kube.options import Options
from .kube.watches import Watches


class _Backoffs(Iterable[float]):
    """Waits between tries, for ever: kopf would give a watch up, and nobody would notice before a probe does."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1.0, 2.0)
        while True:
            yield 3.0


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf would copy every object to tell later what has changed in it: a fifth of this process, and nobody asks."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Nothing is."""


class _NoProgress(kopf.ProgressStorage):
    """Handlers on events have no progress that an object would have to remember."""

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Nothing is."""

    def purge(self, **_: Any) -> None:
        """Nothing is there."""

    def touch(self, **_: Any) -> None:
        """Nothing is there."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def registry(controller: Controller, configuration: Configuration, watches: Watches) -> kopf.OperatorRegistry:
    """The handlers."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        token = await configuration.get_api_key_with_prefix("BearerToken")
        return watching_session(connection_info(configuration, token), watches.trace())

    @kopf.on.event(RUNS.group, RUNS.version, RUNS.plural, registry=handlers)
    async def on_run(event: Any, **_: Any) -> None:
        controller.seen(RUNS, event)

    @kopf.on.event(JOBS.group, JOBS.version, JOBS.plural, registry=handlers)
    async def on_job(event: Any, **_: Any) -> None:
        controller.seen(JOBS, event)

    @kopf.on.event(PODS.group, PODS.version, PODS.plural, registry=handlers)
    async def on_pod(event: Any, **_: Any) -> None:
        controller.seen(PODS, event)

    return handlers


def settings() -> kopf.OperatorSettings:
    """Settings of kopf. What it shall not do at all comes first."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.persistence.diffbase_storage = _NoDiffs()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.process.ultimate_exiting_timeout = None
    for kind, label in WATCHED.items():
        if label:
            chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = label
    # In pages, so that neither side holds everything at once.
    chosen.watching.chunk_size = PAGE
    # A bookmark comes about every minute; after this silence the connection is made anew.
    chosen.watching.inactivity_timeout = 70.0
    chosen.watching.connect_timeout = 5.0
    # An outage of a minute must not cost more than a few seconds on top.
    chosen.networking.connect_timeout = 5.0
    chosen.networking.request_timeout = 30.0
    chosen.networking.error_backoffs = _Backoffs()
    chosen.networking.enforce_retry_after = True
    # A handler that fails has a bug; the next event of the object must not wait ten minutes for it.
    chosen.queueing.error_delays = (1.0, 2.0, 5.0)
    chosen.queueing.idle_timeout = 1.0
    return chosen


async def watch(
    controller: Controller,
    configuration: Configuration,
    watches: Watches,
    options: Options,
    ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Watch until told to stop."""
    await kopf.operator(
        registry=registry(controller, configuration, watches),
        settings=settings(),
        standalone=True,
        clusterwide=not options.namespaces,
        namespaces=options.namespaces,
        ready_flag=ready,
        stop_flag=stop,
    )
