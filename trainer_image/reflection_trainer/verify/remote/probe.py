"""What a conformance check asks with: raw requests, and judgements compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import httpx
from reflection_api.items import Item, Verdict

from ...errors import StageFailure
from .access import Access
from .request import Away, Refused, ask

WORDS = 120
"""Characters of what is said of a check."""


class Failed(Exception):
    """A check did not pass; the message says what was seen."""


class Answer(NamedTuple):
    """Of a raw request."""

    status: int
    body: str


class Probe:
    """Asks one service, each time once. Use as an asynchronous context manager."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client = httpx.AsyncClient(
            base_url=access.url,
            verify=access.trust(),
            follow_redirects=False,
            timeout=access.seconds,
            headers={"accept-encoding": "identity"},
        )

    async def __aenter__(self) -> Probe:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def judge(self, items: Sequence[Item]) -> list[Verdict]:
        """The verdicts, in the order of the items.

        Raises:
            Failed: there are none that can be used.
        """
        try:
            return await ask(self._client, items, self._access)
        except Away as away:
            raise Failed(f"it {away}") from None
        except Refused as refusal:
            raise Failed(f"it answered {refusal}") from None
        except StageFailure as failure:
            raise Failed(failure.message) from None

    async def raw(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Whatever is answered.

        Raises:
            Failed: nothing is.
        """
        headers = {"content-type": "application/json"} | self._access.headers()
        try:
            async with asyncio.timeout(self._access.seconds):
                response = await self._client.request(method, path.lstrip("/"), content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Failed(f"no answer to {method} {path}: {str(error) or type(error).__name__}") from None
        return Answer(response.status_code, response.text[:WORDS])


def same(before: Sequence[Verdict], after: Sequence[Verdict]) -> None:
    """Compare two judgements of the same items.

    Raises:
        Failed: one differs.
    """
    for one, other in zip(before, after, strict=True):
        if (one.correct, one.reason) != (other.correct, other.reason):
            raise Failed(f"item {one.id!r}: first {_words(one)}, then {_words(other)}")


def _words(verdict: Verdict) -> str:
    return "right" if verdict.correct else f"wrong ({verdict.reason})"
