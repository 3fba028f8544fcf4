"""The leader election, in an hour that takes no time: at every moment at most one candidate may act."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.lease import Leader, Times

from .looptime import in_no_time

TIMES = Times()


def refused(status: int, reason: str) -> ApiError:
    return ApiError("x", status, f'{{"reason": "{reason}"}}'.encode(), {})


class OneLease:
    """An API server that knows one Lease, and what goes wrong on the way to it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.writes: list[float] = []
        self._version = 0

    def client(self) -> Way:
        return Way(self)

    def read(self) -> dict[str, Any]:
        if self.lease is None:
            raise refused(404, "NotFound")
        return {"metadata": dict(self.lease["metadata"]), "spec": dict(self.lease["spec"])}

    def write(self, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        if new and self.lease:
            raise refused(409, "AlreadyExists")
        if (
            not new
            and self.lease
            and body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]
        ):
            raise refused(409, "Conflict")
        self._version += 1
        self.lease = {"metadata": {"resourceVersion": str(self._version)}, "spec": dict(body["spec"])}
        self.writes.append(asyncio.get_running_loop().time())
        return self.read()


class Way:
    """One candidate's connection."""

    def __init__(self, server: OneLease) -> None:
        self._server = server
        self.delay = 0.01
        self.broken = False
        self.busy = ""
        """Seconds that the server names with a refusal; empty: it does not refuse."""
        self.asked: list[float] = []
        self.lost_replies = False

    async def _pass(self) -> None:
        await asyncio.sleep(self.delay)
        self.asked.append(now())
        if self.broken:
            raise ConnectionResetError("no route")
        if self.busy:
            raise ApiError("x", 429, b"{}", {"Retry-After": self.busy})

    async def get(self, *_: Any) -> dict[str, Any]:
        await self._pass()
        return self._server.read()

    async def create(self, _kind: Any, _namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._write(body, new=True)

    async def update(self, _kind: Any, _namespace: str, _name: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._write(body, new=False)

    async def _write(self, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        await self._pass()
        answer = self._server.write(body, new=new)
        await asyncio.sleep(self.delay)
        if self.lost_replies:
            raise ConnectionResetError("reset")
        return answer


def candidate(way: Way, name: str) -> Leader:
    return Leader(way, "ops", "reflect-operator", name, TIMES)  # type: ignore[arg-type]


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_first_becomes_the_leader_at_once_and_stays_it() -> None:
    async def play() -> tuple[float, bool, dict[str, Any]]:
        server = OneLease()
        first, second = candidate(server.client(), "a"), candidate(server.client(), "b")
        await first.acquire()
        took = now()
        keep = asyncio.create_task(first.keep())
        wait = asyncio.create_task(second.acquire())
        await asyncio.sleep(3600)
        assert not keep.done()
        assert not wait.done()
        for task in (keep, wait):
            task.cancel()
        assert server.lease is not None
        return took, first.may_act and not second.may_act, server.lease["spec"]

    took, right, spec = in_no_time(play())
    assert took < 0.1
    assert right
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("a", 0, 15)


def test_a_dead_leader_is_followed_after_the_duration() -> None:
    async def play() -> tuple[float, int]:
        server = OneLease()
        first, second = candidate(server.client(), "a"), candidate(server.client(), "b")
        await first.acquire()
        await second.acquire()
        assert server.lease is not None
        return now(), server.lease["spec"]["leaseTransitions"]

    when, transitions = in_no_time(play())
    assert 15 <= when <= 15 + 2 * 1.2 + 0.1
    assert transitions == 1


@pytest.mark.parametrize(
    ("named", "kept"), [("4", 4.0), ("60", 5.0)], ids=["kept", "too long to stay the leader"]
)
def test_a_busy_server_is_left_alone_as_long_as_it_wants_and_the_lease_allows(
    named: str, kept: float
) -> None:
    async def play() -> tuple[list[float], bool]:
        way = OneLease().client()
        leader = candidate(way, "a")
        await leader.acquire()
        keep = asyncio.create_task(leader.keep())
        way.busy = named
        way.asked.clear()
        await asyncio.sleep(4)
        way.busy = ""
        await asyncio.sleep(60)
        still = leader.may_act and not keep.done()
        keep.cancel()
        return way.asked, still

    asked, still = in_no_time(play())
    assert kept <= asked[1] - asked[0] < kept + 0.1
    assert still


def test_a_leader_in_order_lets_go_at_once() -> None:
    async def play() -> float:
        server = OneLease()
        first, second = candidate(server.client(), "a"), candidate(server.client(), "b")
        await first.acquire()
        await first.release()
        assert not first.may_act
        await second.acquire()
        return now()

    assert in_no_time(play()) < 3


def test_a_leader_without_connection_gives_up_before_anybody_follows() -> None:
    async def play() -> tuple[float, float]:
        server = OneLease()
        way = server.client()
        first, second = candidate(way, "a"), candidate(server.client(), "b")
        await first.acquire()
        way.broken = True
        keep, follow = asyncio.create_task(first.keep()), asyncio.create_task(second.acquire())
        await keep
        gave_up = now()
        assert not first.may_act
        await follow
        return gave_up, now()

    gave_up, followed = in_no_time(play())
    assert 10 <= gave_up < 15 <= followed


def test_a_request_that_hangs_does_not_keep_the_leader_from_noticing() -> None:
    async def play() -> float:
        way = OneLease().client()
        leader = candidate(way, "a")
        await leader.acquire()
        way.delay = 10_000
        await leader.keep()
        return now()

    assert in_no_time(play()) < 20


@pytest.mark.parametrize("seconds", [1, 60, 100_000])
def test_a_leader_that_slept_may_not_act_until_it_has_asked(seconds: float) -> None:
    async def play() -> tuple[bool, bool]:
        leader = candidate(OneLease().client(), "a")
        await leader.acquire()
        await asyncio.sleep(seconds)
        return leader.may_act, seconds < TIMES.deadline

    may, should = in_no_time(play())
    assert may == should


TROUBLE = st.lists(
    st.tuples(
        st.floats(0, 30), st.integers(0, 2), st.sampled_from(["broken", "lost", "slow", "fine", "restart"])
    ),
    max_size=12,
)


@given(TROUBLE, st.integers(0, 10_000))
def test_never_two_at_a_time(trouble: list[tuple[float, int, str]], seed: int) -> None:
    """Whatever happens to three candidates' connections; and in the end, when all is well, there is one leader."""
    random.seed(seed)

    async def play() -> None:
        server = OneLease()
        ways = [server.client() for _ in range(3)]
        leaders = [candidate(way, f"c{number}") for number, way in enumerate(ways)]

        async def live(number: int) -> None:
            while True:
                await leaders[number].acquire()
                await leaders[number].keep()
                leaders[number] = candidate(ways[number], f"c{number}-{now()}")

        async def look() -> None:
            while True:
                assert sum(leader.may_act for leader in leaders) <= 1
                await asyncio.sleep(0.1)

        tasks = [asyncio.create_task(live(number)) for number in range(3)] + [asyncio.create_task(look())]
        for wait, number, what in trouble:
            await asyncio.sleep(wait)
            way = ways[number]
            way.broken, way.lost_replies = what == "broken", what == "lost"
            way.delay = 4.0 if what == "slow" else 0.01
            if what == "restart":
                tasks[number].cancel()
                leaders[number] = candidate(way, f"c{number}-{now()}")
                tasks[number] = asyncio.create_task(live(number))
        for way in ways:
            way.broken, way.lost_replies, way.delay = False, False, 0.01
        await asyncio.sleep(60)
        assert sum(leader.may_act for leader in leaders) == 1
        for task in tasks:
            assert task.cancelled() or not task.done(), task
            task.cancel()

    in_no_time(play())
