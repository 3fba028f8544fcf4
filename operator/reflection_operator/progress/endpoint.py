"""The progress endpoint as a whole: certificates that are there in time, a server, and what it hears handed on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from ..children.progress_place import ProgressPlace
from ..kube.api import Api
from ..kube.errors import ApiError
from ..kube.metrics import Metrics
from ..kube.options import Options
from .authority import authority
from .certificates import SERVER_SPARE, Pair, new_server
from .server import PATH, ProgressServer, Take, host_of
from .tokens import Tokens

_LOOK_AGAIN_S = 3600.0
_TRY_AGAIN_S = 10.0
_log = logging.getLogger(__name__)


class ProgressEndpoint:
    """Serves while it is told to, and says where. Whatever goes wrong with it, runs go on."""

    def __init__(
        self,
        api: Api,
        metrics: Metrics,
        options: Options,
        take: Take,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._clock = clock
        self._options = options
        self._server = ProgressServer(Tokens(api), take, metrics.reported)
        self._authority: Pair | None = None
        self._certificate: Pair | None = None
        self._listening = False
        self._asked = 0.0
        """Seconds that the API server wants to be left alone, as it said the last time."""

    @property
    def place(self) -> ProgressPlace | None:
        """What new pods are told; None while there is nobody to report to."""
        if not (self._listening and self._authority):
            return None
        return ProgressPlace(
            self._options.progress_url.rstrip("/") + PATH, self._authority.certificate.decode()
        )

    async def prepare(self) -> None:
        """Listen, or say why not: then it is tried again by `keep`."""
        self._asked = 0.0
        try:
            await self._renew()
            if not self._listening:
                await self._server.start(self._options.progress_host, self._options.progress_port)
                self._listening = True
                _log.info("reports of progress are heard on port %d", self._options.progress_port)
        except Exception as error:  # noqa: BLE001 - runs must not depend on it, whatever it is
            if isinstance(error, ApiError):
                self._asked = error.retry_after or 0.0
            _log.warning("progress: %s; runs go on without reports of it", str(error) or repr(error))

    async def keep(self) -> None:
        """Have valid certificates, for ever."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S if self._listening else max(_TRY_AGAIN_S, self._asked))
            await self.prepare()

    async def stop(self) -> None:
        """Listen no more."""
        self._listening = False
        await self._server.stop()

    async def _renew(self) -> None:
        now = self._clock()
        found = await authority(self._api, self._options.lease_namespace, now)
        fresh = self._certificate and self._certificate.ends - now > SERVER_SPARE
        if found != self._authority or not fresh:
            self._certificate = new_server(found, host_of(self._options.progress_url), now)
            self._server.use(self._certificate)
        self._authority = found
