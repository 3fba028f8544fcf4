"""A verifier behind an address: many items judged in batches, some at a time, each asked again while that can help."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Iterator, Sequence

import httpx
from reflection_api.contract import VERIFIER_TOKEN_FILE_VARIABLE
from reflection_api.items import Item, Verdict
from reflection_api.reasons import Reason
from reflection_api.verifier_service import MAX_ITEMS

from ...errors import BadData, DependencyAway
from ...patience import Patience
from .access import Access, misconfigured
from .request import Away, Denied, Refused, ask
from .verdicts import shown

logger = logging.getLogger(__name__)

CONCURRENCY = 8
"""Requests under way at a time, of each process."""
_CHARACTERS = 1_000_000
"""Of the completions of a request, unless one alone has more."""


class Service:
    """Judges items by asking. May be used again and again; connections last for one call."""

    def __init__(self, access: Access, patience: Patience) -> None:
        self._access, self._patience = access, patience
        self._trust: ssl.SSLContext | None = None
        """Made once: to read the public authorities takes most of a second."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order.

        Raises:
            DependencyAway: the service gave no answer for as long as there is patience.
            BadConfig: address, token or certificate are wrong (reason InvalidSpec).
            BadData: an answer is wrong, or an item is refused (reason VerifierUnsound).
        """
        return asyncio.run(self._judge(items))

    async def _judge(self, items: Sequence[Item]) -> list[Verdict]:
        gate = asyncio.Semaphore(CONCURRENCY)
        async with self._client() as client:
            tasks = [asyncio.create_task(self._in_turn(gate, client, batch)) for batch in batches(items)]
            try:
                parts = await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return [verdict for part in parts for verdict in part]

    def _client(self) -> httpx.AsyncClient:
        if self._trust is None:
            self._trust = self._access.trust()
        return httpx.AsyncClient(
            base_url=self._access.url,
            verify=self._trust,
            trust_env=not self._access.beside,
            follow_redirects=False,
            timeout=self._access.seconds,
            headers={"accept-encoding": "identity", "content-type": "application/json"},
        )

    async def _in_turn(
        self, gate: asyncio.Semaphore, client: httpx.AsyncClient, batch: Sequence[Item]
    ) -> list[Verdict]:
        async with gate:
            return await self._halved(client, batch)

    async def _halved(self, client: httpx.AsyncClient, batch: Sequence[Item]) -> list[Verdict]:
        """Verdicts on a batch; one that is refused is asked in halves, which finds the item that is to blame."""
        try:
            return await self._patiently(client, batch)
        except Refused as refusal:
            if len(batch) == 1:
                raise BadData(
                    f"the verifier refuses item {shown(batch[0].id)}: {refusal}; a verifier takes every completion: what it "
                    "cannot read is wrong",
                    reason=Reason.VERIFIER_UNSOUND,
                ) from None
        middle = len(batch) // 2
        return [
            *await self._halved(client, batch[:middle]),
            *await self._halved(client, batch[middle:]),
        ]

    async def _patiently(self, client: httpx.AsyncClient, batch: Sequence[Item]) -> list[Verdict]:
        failures, began = 0, 0.0
        while True:
            try:
                return await ask(client, batch, self._access)
            except Away as away:
                failures += 1
                began = began or time.monotonic()
                pause = self._pause(away, failures, time.monotonic() - began)
                await asyncio.sleep(pause)

    def _pause(self, away: Away, failures: int, elapsed: float) -> float:
        """Seconds until the next try."""
        url = self._access.url
        # A Secret that was replaced reaches the file of a running pod a minute later; the environment never changes.
        final = isinstance(away, Denied) and not os.environ.get(VERIFIER_TOKEN_FILE_VARIABLE)
        pause = None if final else self._patience.pause(failures, elapsed)
        if pause is None and isinstance(away, Denied):
            what = "does not accept the token" if self._access.token else "asks for a token"
            raise misconfigured(
                f"{self._access.place('tokenSecret')}: the verifier at {url} {what}: it {away}; correct the token, or name "
                "its Secret"
            ) from None
        if pause is None:
            tries = f"{failures} tries in {elapsed:.0f} s" if failures > 1 else "one try"
            raise DependencyAway(
                f"{self._access.place('url')}: the verifier at {url} {away}, after {tries}; see its log and bring it back",
                reason=Reason.DEPENDENCY_UNAVAILABLE,
            ) from None
        logger.warning("the verifier at %s %s: asked again in %.1f s", url, away, max(pause, away.after))
        return max(pause, away.after)


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Requests of at most `MAX_ITEMS` items and a million characters; a longer completion has one of its own."""
    begin, size = 0, 0
    for index, item in enumerate(items):
        if index > begin and (index - begin == MAX_ITEMS or size + len(item.completion) > _CHARACTERS):
            yield items[begin:index]
            begin, size = index, 0
        size += len(item.completion)
    if items:
        yield items[begin:]
