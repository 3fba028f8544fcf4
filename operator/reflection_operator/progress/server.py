"""The HTTPS server that pods report to. A pod can speak for its own run alone: the token that it is given says who it is."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import ValidationError
from reflection_api.contract import MAX_PROGRESS_REPORT, ProgressReport

from ..kube.api import TRANSPORT_ERRORS
from ..kube.errors import ApiError, NotSent
from .certificates import Pair
from .listener import Listener
from .tokens import Tokens, TooMany

PATH = "/v1/progress"
_MOST_OFTEN_S = 1.0
_PATIENCE_S = 2.0
"""With whoever is in the middle of a report, when it is sent and when this operator stops."""
_IDLE_S = 15.0
MOST_CONNECTIONS = 256
_BEARER = "Bearer "
_MAX_TOKEN = 16_384
_REMEMBERED = 20_000
_log = logging.getLogger(__name__)

Take = Callable[[str, ProgressReport], bool]
"""Hands on what the pod of this UID reports; False where no run has such a pod."""


class ProgressServer:
    """Listens while this operator is the leader."""

    def __init__(self, tokens: Tokens, take: Take, count: Callable[[int], None]) -> None:
        self._tokens, self._take, self._count = tokens, take, count
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._heard: dict[str, float] = {}
        app = web.Application(client_max_size=MAX_PROGRESS_REPORT)
        app.router.add_post(PATH, self._answer)
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_PATIENCE_S,
            keepalive_timeout=_IDLE_S,
        )
        self._listener = Listener(runner, self._context, most=MOST_CONNECTIONS, greeting_s=_IDLE_S)

    def use(self, pair: Pair) -> None:
        """Show this certificate to whoever connects from now on."""
        # The library reads files only, and this one never touches a disk.
        with os.fdopen(os.memfd_create("certificate"), "wb") as file:
            file.write(pair.certificate + pair.key)
            file.flush()
            self._context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")

    async def start(self, host: str, port: int) -> None:
        """Listen, once there is a certificate."""
        await self._listener.start(host, port)

    async def stop(self) -> None:
        await self._listener.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            answer = await self._report(request)
        except web.HTTPException as error:
            self._count(error.status)
            raise
        self._count(answer.status)
        return answer

    async def _report(self, request: web.Request) -> web.Response:
        pod = await self._pod(request.headers.get("Authorization", ""), request.remote or "")
        self._not_too_often(pod)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                report = ProgressReport.model_validate_json(await request.read())
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the report takes too long to arrive\n") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise web.HTTPBadRequest(text=f"{'.'.join(map(str, first['loc']))}: {first['msg']}\n") from None
        if not self._take(pod, report):
            raise web.HTTPNotFound(text="no run that is known here has this pod\n")
        return web.Response(status=204)

    async def _pod(self, authorization: str, peer: str) -> str:
        token = authorization.removeprefix(_BEARER)
        if not (authorization.startswith(_BEARER) and 0 < len(token) <= _MAX_TOKEN and token.isascii()):
            raise web.HTTPUnauthorized(text="a bearer token is needed\n")
        try:
            pod = await self._tokens.pod_of(token, peer)
        except TooMany:
            raise _later(5, "too many new tokens") from None
        except (ApiError, NotSent, *TRANSPORT_ERRORS) as error:
            _log.debug("a token could not be reviewed: %r", error)
            raise web.HTTPServiceUnavailable(text="the token cannot be reviewed now\n") from None
        if not pod:
            raise web.HTTPUnauthorized(text="the token is not one of a pod for this server\n")
        return pod

    def _not_too_often(self, pod: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._heard.get(pod, -_MOST_OFTEN_S) < _MOST_OFTEN_S:
            raise _later(1, "one report a second is enough")
        self._heard.pop(pod, None)
        self._heard[pod] = now
        while len(self._heard) > _REMEMBERED:
            self._heard.pop(next(iter(self._heard)))


def host_of(url: str) -> str:
    """The host that the server's certificate is for."""
    return urlsplit(url).hostname or ""


def _later(seconds: int, words: str) -> web.HTTPTooManyRequests:
    return web.HTTPTooManyRequests(text=f"{words}\n", headers={"Retry-After": str(seconds)})
