"""What a kubelet and Prometheus ask: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from .metrics import Metrics


class State(Protocol):
    """Whoever knows how the operator is."""

    def problems(self) -> list[str]:
        """What only a restart can mend."""

    def not_ready(self) -> list[str]:
        """What keeps it from working at the moment."""

    def phases(self) -> Mapping[str, int]:
        """How many runs do what."""

    def watch_ages(self) -> Mapping[str, float]:
        """Seconds since each kind was last heard of."""


class HealthServer:
    """A small HTTP server."""

    def __init__(self, state: State, metrics: Metrics) -> None:
        app = web.Application()
        app.router.add_get("/healthz", _probe(state.problems))
        app.router.add_get("/readyz", _probe(state.not_ready))

        async def text(_: web.Request) -> web.Response:
            body = metrics.text(state.phases(), state.watch_ages())
            return web.Response(
                body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            )

        app.router.add_get("/metrics", text)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chose where 0 was given."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def _probe(check: Callable[[], list[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        problems = check()
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=503 if problems else 200)

    return answer
