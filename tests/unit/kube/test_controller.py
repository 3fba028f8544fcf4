"""What becomes of a run whose reconciliation fails, and of namespaces that may not be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client import Configuration
from reflection_operator.kube.api import Api
from reflection_operator.kube.controller import Controller
from reflection_operator.kube.errors import ApiError, NotSent
from reflection_operator.kube.kinds import RUNS, Kind
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.options import Options

from .looptime import in_no_time


def test_a_run_about_which_nothing_could_be_sent_is_looked_at_again() -> None:
    async def play() -> float:
        controller = Controller(
            Api(Configuration(), Metrics()), Metrics(), Options(_cli_parse_args=[]), lambda: None
        )
        controller._failed("uid", NotSent("update: no longer sure to be the leader"))
        assert await controller._queue.get() == "uid"
        return asyncio.get_running_loop().time()

    assert 0 < in_no_time(play()) < 5


def test_a_run_that_failed_for_long_is_looked_at_when_the_api_server_is_heard_again() -> None:
    async def play() -> float:
        controller = Controller(
            Api(Configuration(), Metrics()), Metrics(), Options(_cli_parse_args=[]), lambda: None
        )
        for _ in range(12):
            controller._failed("uid", TimeoutError())
            controller._queue.done(await controller._queue.get())
        controller._failed("uid", TimeoutError())
        before = asyncio.get_running_loop().time()
        controller.recovered()
        assert await controller._queue.get() == "uid"
        return asyncio.get_running_loop().time() - before

    assert in_no_time(play()) <= 2


class Busy:
    """An API server that wants to be left alone once."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def pages(
        self, _: Kind, __: str | None, ___: str
    ) -> AsyncIterator[tuple[list[dict[str, object]], int]]:
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) == 1:
            raise ApiError("list", 429, b"{}", {"Retry-After": "30"})
        yield [], 7


def test_a_list_comes_again_when_the_server_wants_it() -> None:
    server = Busy()
    controller = Controller(server, Metrics(), Options(_cli_parse_args=[]), lambda: None)
    in_no_time(controller.fill())
    assert server.asked[1] - server.asked[0] == pytest.approx(30, abs=0.1)


class Places:
    """An API server with one run in each namespace that may be read."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.asked = 0

    async def pages(
        self, kind: Kind, place: str, _: str
    ) -> AsyncIterator[tuple[list[dict[str, object]], int]]:
        self.asked += 1
        if place in self.closed:
            raise ApiError("list", 403, b"{}", {})
        metadata = {"name": "run", "namespace": place, "uid": f"uid-{place}", "resourceVersion": "1"}
        yield [{"metadata": metadata, "spec": {}}] if kind is RUNS else [], 7


def test_a_namespace_that_may_not_be_read_is_left_out_and_found_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Places()
    controller = Controller(
        server, Metrics(), Options(_cli_parse_args=[], namespaces=["a", "b"]), lambda: None
    )
    known = []
    caplog.set_level(logging.INFO)
    for closed in ({"b"}, {"b"}, set(), {"a"}, set()):
        server.closed = closed
        asyncio.run(controller.fill())
        known.append(sorted(controller.store.keys()))
    assert known == [["uid-a"], ["uid-a"], ["uid-a", "uid-b"], ["uid-b"], ["uid-a", "uid-b"]]
    told = [line for line in caplog.messages if "namespace" in line]
    assert [line[:30] for line in told] == [
        "nothing is done in namespace b",
        "namespace b can be read again",
        "nothing is done in namespace a",
        "namespace a can be read again",
    ]


def test_where_nothing_may_be_read_it_goes_on_trying() -> None:
    async def play() -> int:
        server = Places()
        server.closed = {"a", "b"}
        controller = Controller(
            server, Metrics(), Options(_cli_parse_args=[], namespaces=["a", "b"]), lambda: None
        )
        filling = asyncio.ensure_future(controller.fill())
        await asyncio.sleep(12)
        assert not controller.listed
        server.closed = {"b"}
        await filling
        assert controller.listed
        return server.asked

    assert in_no_time(play()) == 2 + 2 + 2 + 3 + 1
