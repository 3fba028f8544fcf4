"""One request to a verifier: bounded in time and size, and every way in which it can fail told apart."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Sequence
from typing import Any

import httpx
from reflection_api.items import Item, Verdict
from reflection_api.reasons import Reason
from reflection_api.verifier_service import VERIFY_PATH

from ...errors import BadData
from .access import Access, misconfigured
from .verdicts import WrongAnswer, excerpt, read_verdicts, shown

_MAX_BODY = 65_536
_MAX_BODY_PER_ITEM = 4096
"""Bytes of an answer. A verdict takes some hundred."""
_TOO_MUCH = (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY)
_AGAIN = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS)
_DENIED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_ABSENT = (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED)
_LONGEST_WAIT = 60.0


class Away(Exception):
    """No answer this time: it may come when asked again."""

    def __init__(self, words: str, after: float = 0.0) -> None:
        super().__init__(words)
        self.after = after
        """Seconds that the service asks to be left alone."""


class Denied(Away):
    """The token is not accepted."""


class Refused(Exception):
    """The service does not take these items."""


async def ask(client: httpx.AsyncClient, items: Sequence[Item], access: Access) -> list[Verdict]:
    """The verdicts on the items of one request, in their order.

    Args:
        client: with the service's address, following no redirects.
        items: what to judge.
        access: says for how long, however slowly the answer trickles in.

    Raises:
        Away: no answer, or one that says to come back.
        Refused: the service does not take the items.
        BadConfig: there is no verifier at this address, or it cannot be trusted (reason InvalidSpec).
        BadData: the answer is wrong (reason VerifierUnsound).
    """
    try:
        async with (
            asyncio.timeout(access.seconds),
            client.stream(
                "POST", VERIFY_PATH.lstrip("/"), content=encoded(items), headers=access.headers()
            ) as response,
        ):
            body = await _body(response, _MAX_BODY + _MAX_BODY_PER_ITEM * len(items))
    except TimeoutError:
        raise Away(f"gave no answer within {access.seconds:g} s") from None
    except httpx.TransportError as error:
        if certificate := _certificate(error):
            raise misconfigured(
                f"{access.place('url')}: the service's certificate is not trusted ({certificate}); name its authority's in "
                f"{access.place('caSecret')}, or correct the address"
            ) from None
        raise Away(f"did not answer ({_transport_words(error)})") from None
    _check_status(response, body, access)
    try:
        return read_verdicts(body, items)
    except WrongAnswer as error:
        raise unsound(str(error)) from None


def encoded(items: Sequence[Item]) -> bytes:
    """The body of a request. ASCII, so that whatever a model wrote stays what it was on the way."""
    return json.dumps({"items": [_fields(item) for item in items]}).encode()


def unsound(problem: str) -> BadData:
    """The failure that a wrong answer is."""
    return BadData(f"the verifier's answer cannot be used: {problem}", reason=Reason.VERIFIER_UNSOUND)


def _fields(item: Item) -> dict[str, Any]:
    messages = [{"role": message.role, "content": message.content} for message in item.messages]
    return {"id": item.id, "messages": messages, "completion": item.completion, "row": item.row}


async def _body(response: httpx.Response, most: int) -> bytes:
    """Raw bytes, not decompressed: a few of those can be many of these."""
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > most:
            raise unsound(f"it is longer than {most:,} bytes; answer verdicts alone")
        parts.append(part)
    return b"".join(parts)


def _check_status(response: httpx.Response, body: bytes, access: Access) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise unsound("it is compressed, although none was asked for; answer plain JSON")
        return
    said = f"{status} ({excerpt(body)})"
    if status in _DENIED:
        raise Denied(f"answered {said}")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _AGAIN:
        raise Away(f"answered {said}", _retry_after(response))
    if status in _TOO_MUCH:
        raise Refused(said)
    if response.is_redirect:
        target = shown(response.headers.get("location", "nowhere"))
        raise misconfigured(
            f"{access.place('url')}: the service redirects to {target}, and redirects are not followed; give the final address"
        )
    if status in _ABSENT:
        raise misconfigured(
            f"{access.place('url')}: there is no POST {VERIFY_PATH} there: {said}; correct the address"
        )
    raise unsound(f"its status is {said}; answer 200 with verdicts")


def _retry_after(response: httpx.Response) -> float:
    """What the service asks for, within reason; dates are not read."""
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_WAIT) if text.isdecimal() and len(text) < 6 else 0.0


def _certificate(error: BaseException) -> str | None:
    """What is wrong with the service's certificate, where that is the cause of an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None


def _transport_words(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
