"""The queue: each key once, one worker each, later where it was put off or has failed."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_operator.kube.work_queue import WorkQueue

from .looptime import in_no_time


def clock() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_waits_once_however_often_it_is_added() -> None:
    async def play() -> tuple[str, int]:
        queue = WorkQueue()
        for _ in range(3):
            queue.add("a")
        return await queue.get(), len(queue)

    assert in_no_time(play()) == ("a", 0)


def test_a_key_that_changes_while_it_is_worked_on_comes_back_afterwards() -> None:
    async def play() -> list[int]:
        queue = WorkQueue()
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.add("a")
        lengths = [len(queue)]
        queue.done(key)
        return [*lengths, len(queue)]

    assert in_no_time(play()) == [0, 1]


def test_the_earliest_time_wins_and_now_is_earlier_still() -> None:
    async def play() -> list[float]:
        queue, times = WorkQueue(), []
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        queue.add_after("a", 30)
        queue.done(await queue.get())
        times.append(clock())
        queue.add_after("a", 60)
        queue.add("a")
        queue.done(await queue.get())
        times.append(clock())
        return times

    assert in_no_time(play()) == [pytest.approx(5), pytest.approx(5)]


def test_waits_double_and_begin_anew_after_a_success() -> None:
    async def play() -> list[float]:
        queue, waits = WorkQueue(), []
        for _ in range(12):
            waits.append(queue.retry("a"))
            queue.done(await queue.get())
        queue.succeeded("a")
        return [*waits, queue.retry("a")]

    waits = in_no_time(play())
    for number, wait in enumerate(waits[:-1]):
        longest = min(60, 0.2 * 2**number)
        assert longest / 2 <= wait <= longest
    assert waits[-1] <= 0.2


def test_a_time_that_the_server_asked_for_is_kept_whatever_changes() -> None:
    async def play() -> float:
        queue = WorkQueue()
        queue.retry("a", at_least=7)
        queue.add("a")
        queue.add_after("a", 1)
        await queue.get()
        return clock()

    assert in_no_time(play()) == pytest.approx(7)


def test_keys_that_failed_are_hurried_and_no_others() -> None:
    async def play() -> dict[str, float]:
        queue, times = WorkQueue(), {}
        for _ in range(12):
            queue.retry("failed")
            queue.done(await queue.get())
        began = clock()
        queue.retry("failed")
        queue.retry("held", at_least=7)
        queue.add_after("put off", 20)
        queue.hurry()
        for _ in range(3):
            key = await queue.get()
            times[key] = clock() - began
            queue.done(key)
        return times

    times = in_no_time(play())
    assert times["failed"] <= 2
    assert times["held"] == pytest.approx(7)
    assert times["put off"] == pytest.approx(20)


def test_a_forgotten_key_does_not_come_back() -> None:
    async def play() -> str:
        queue = WorkQueue()
        queue.add_after("a", 5)
        queue.add_after("b", 10)
        queue.forget("a")
        return await queue.get()

    assert in_no_time(play()) == "b"


ACTIONS = st.lists(st.tuples(st.sampled_from(["add", "later", "retry"]), st.sampled_from("abc")), max_size=40)


@given(ACTIONS, st.integers(1, 4), st.integers(0, 1000))
def test_no_key_is_ever_lost_or_with_two_workers(
    actions: list[tuple[str, str]], workers: int, seed: int
) -> None:
    """Whatever is asked for while workers are at it: every key is looked at after the last time it was added."""
    chance = random.Random(seed)

    async def play() -> None:
        queue = WorkQueue()
        at_work: set[str] = set()
        added: dict[str, float] = {}
        looked: dict[str, float] = {}

        async def worker() -> None:
            while True:
                key = await queue.get()
                assert key not in at_work
                at_work.add(key)
                looked[key] = clock()
                await asyncio.sleep(chance.random())
                at_work.discard(key)
                queue.done(key)

        tasks = [asyncio.create_task(worker()) for _ in range(workers)]
        for action, key in actions:
            await asyncio.sleep(chance.random())
            added[key] = clock()
            {"add": queue.add, "later": lambda key: queue.add_after(key, 3), "retry": queue.retry}[action](
                key
            )
        await asyncio.sleep(300)
        for task in tasks:
            assert not task.done()
            task.cancel()
        assert {key for key, when in added.items() if looked.get(key, -1) < when} == set()

    in_no_time(play())
