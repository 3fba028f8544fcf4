"""The endpoint over years: its certificates are replaced in time, and so is what somebody has spoilt."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.options import Options
from reflection_operator.progress import server
from reflection_operator.progress.certificates import (
    AUTHORITY_SPARE,
    AUTHORITY_VALID,
    SERVER_SPARE,
    SERVER_VALID,
)
from reflection_operator.progress.endpoint import ProgressEndpoint
from reflection_operator.progress.server import PATH

from ...support.ports import free_ports
from ..kube.looptime import in_no_time

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Secrets:
    """An API server that keeps one Secret, or none while it is away."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] | None = None
        self.away = False
        self.asked: list[float] = []
        self.written = 0

    async def get(self, *_: Any) -> dict[str, Any]:
        self.asked.append(asyncio.get_running_loop().time())
        if self.away:
            raise ApiError("get", 503, b"{}", {"Retry-After": "25"})
        if self.kept is None:
            raise ApiError("get", 404, b'{"reason": "NotFound"}', {})
        return self.kept

    async def create(self, _kind: Any, _namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self.update(_kind, _namespace, "", body)

    async def update(self, _kind: Any, _namespace: str, _name: str, body: dict[str, Any]) -> dict[str, Any]:
        self.written += 1
        self.kept = body | {"metadata": body["metadata"] | {"resourceVersion": str(self.written)}}
        return self.kept


class Running:
    """An endpoint, its clock and its API server."""

    def __init__(self, start: datetime = START) -> None:
        (port,) = free_ports(1)
        self.port, self.now, self.secrets = port, start, Secrets()
        options = Options(
            progress_url=f"https://127.0.0.1:{port}",
            progress_host="127.0.0.1",
            progress_port=port,
            lease_namespace="ops",
        )
        api: Any = self.secrets
        self.endpoint = ProgressEndpoint(api, Metrics(), options, lambda *_: True, lambda: self.now)

    async def later(self, time: timedelta) -> None:
        self.now += time
        await self.endpoint.prepare()

    @property
    def authority(self) -> str:
        """What pods that start now are told to trust."""
        place = self.endpoint.place
        assert place is not None
        return place.authority

    async def shown(self) -> x509.Certificate:
        """The certificate that the server shows now."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        data = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(data)

    async def assert_trusted(self, authority: str) -> None:
        found = await self.shown()
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
        assert found.not_valid_before_utc <= self.now <= found.not_valid_after_utc


class Pod:
    """A pod that trusts what it was told when it started, as far as it can tell whether it speaks to the operator."""

    def __init__(self, it: Running) -> None:
        self._url = f"https://127.0.0.1:{it.port}{PATH}"
        self._context = ssl.create_default_context(cadata=it.authority)

    async def hears(self) -> str:
        """What comes of a report without a token, which a server that is trusted refuses."""
        async with httpx.AsyncClient(verify=self._context, trust_env=False) as client:
            try:
                return (await client.post(self._url)).text
            except httpx.ConnectError as error:
                return str(error)


@asynccontextmanager
async def running(start: datetime = START) -> AsyncIterator[Running]:
    found = Running(start)
    try:
        await found.endpoint.prepare()
        yield found
    finally:
        await found.endpoint.stop()


def test_the_server_gets_a_new_certificate_in_time_and_pods_trust_it_as_before() -> None:
    async def scenario() -> None:
        async with running() as it:
            before, authority = await it.shown(), it.authority
            await it.later(SERVER_VALID - SERVER_SPARE - DAY)
            assert await it.shown() == before
            await it.later(2 * DAY)
            assert await it.shown() != before
            assert it.authority == authority
            await it.assert_trusted(authority)
            assert it.secrets.written == 1

    asyncio.run(scenario())


def test_a_server_that_names_a_time_is_asked_after_it() -> None:
    async def play() -> list[float]:
        it = Running()
        it.secrets.away = True
        await it.endpoint.prepare()
        keep = asyncio.create_task(it.endpoint.keep())
        await asyncio.sleep(60)
        keep.cancel()
        return it.secrets.asked

    assert in_no_time(play()) == pytest.approx([0, 25, 50], abs=0.1)


def test_the_authority_is_replaced_long_before_it_ends() -> None:
    async def scenario() -> None:
        async with running() as it:
            authority = it.authority
            await it.later(AUTHORITY_VALID - AUTHORITY_SPARE - DAY)
            assert it.authority == authority
            await it.later(2 * DAY)
            assert it.authority != authority
            await it.assert_trusted(it.authority)
            assert it.secrets.written == 2

    asyncio.run(scenario())


def test_a_pod_that_is_at_work_is_heard_until_the_authority_is_replaced_and_one_that_starts_then_is_heard() -> (
    None
):
    """On one server that goes on."""

    async def scenario() -> None:
        now = datetime.now(UTC)
        async with running(now - AUTHORITY_VALID + AUTHORITY_SPARE) as it:
            # The last day on which the authority is good enough. From here on the clocks of clients count, too.
            await it.later(now - DAY - it.now)
            before = Pod(it)
            assert await before.hears() == "a bearer token is needed\n"
            server = await it.shown()
            await it.later(timedelta(hours=1))
            assert await it.shown() == server
            await it.later(now + timedelta(minutes=5) - it.now)
            assert "certificate verify failed" in await before.hears()
            assert await Pod(it).hears() == "a bearer token is needed\n"
            assert it.secrets.written == 2

    asyncio.run(scenario())


def test_another_replicas_authority_is_taken_over() -> None:
    async def scenario() -> None:
        async with running() as it, running() as other:
            it.secrets.kept = other.secrets.kept
            await it.later(DAY)
            assert it.authority == other.authority
            await it.assert_trusted(other.authority)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda secret: secret.update(data={}),
        lambda secret: secret["data"].update({"tls.key": base64.b64encode(b"spoilt").decode()}),
        lambda secret: secret.pop("data"),
    ],
    ids=["emptied", "another-key", "no-data"],
)
def test_a_spoilt_secret_gets_new_content(spoil: Callable[[dict[str, Any]], Any]) -> None:
    async def scenario() -> None:
        async with running() as it:
            assert it.secrets.kept is not None
            spoil(it.secrets.kept)
            await it.later(DAY)
            assert it.secrets.written == 2
            await it.assert_trusted(it.authority)

    asyncio.run(scenario())


def test_an_api_server_that_is_away_changes_nothing() -> None:
    async def scenario() -> None:
        async with running() as it:
            before = await it.shown()
            it.secrets.away = True
            await it.later(SERVER_VALID)
            assert await it.shown() == before
            it.secrets.away = False
            await it.later(DAY)
            await it.assert_trusted(it.authority)

    asyncio.run(scenario())


def test_a_port_that_was_taken_is_listened_on_once_it_is_free() -> None:
    async def scenario() -> None:
        it = Running()
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", it.port)
        try:
            await it.endpoint.prepare()
            assert it.endpoint.place is None
        finally:
            taken.close()
            await taken.wait_closed()
        await it.later(DAY)
        await it.assert_trusted(it.authority)
        await it.endpoint.stop()

    asyncio.run(scenario())


SILENT = pytest.mark.parametrize("shaken", [False, True], ids=["before the handshake", "after it"])
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def silent(it: Running, count: int, shaken: bool, address: str = "127.0.0.1") -> list[Connection]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return [
        await asyncio.open_connection(
            "127.0.0.1", it.port, ssl=context if shaken else None, local_addr=(address, 0)
        )
        for _ in range(count)
    ]


async def is_served(pod: Pod) -> bool:
    try:
        return await pod.hears() == "a bearer token is needed\n"
    except httpx.TransportError:
        return False


@SILENT
@pytest.mark.parametrize(
    ("addresses", "served"),
    [
        (["127.0.0.1"], False),
        (["127.0.0.2"], True),
        ([f"127.0.0.{number}" for number in range(2, 6)], False),
    ],
    ids=["all that its address gets", "all that another address gets", "all that there are"],
)
def test_who_opens_connections_and_says_nothing_is_not_given_more(
    shaken: bool, addresses: list[str], served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of all from one address."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 16)

    async def scenario() -> None:
        async with running(datetime.now(UTC)) as it:
            pod = Pod(it)
            connections = [one for each in addresses for one in await silent(it, 4, shaken, each)]
            assert await is_served(pod) == served
            connections[0][1].close()
            async with asyncio.timeout(60):
                while not await is_served(pod):
                    pass
            for _, writer in connections:
                writer.close()

    asyncio.run(scenario())


@SILENT
def test_who_says_nothing_is_not_waited_for(shaken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_IDLE_S", 2.0)

    async def scenario() -> None:
        async with running(datetime.now(UTC)) as it:
            [(reader, writer)] = await silent(it, 1, shaken)
            async with asyncio.timeout(60):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())
