"""Tokens per second."""

from __future__ import annotations

import pytest
from reflection_trainer.engines import Throughput, engine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(engine.time, "perf_counter", lambda: now[0])
    return now


def test_only_the_time_in_generate_counts(clock: list[float]) -> None:
    throughput = Throughput()
    assert throughput.tokens_per_second == 0
    for _ in range(2):
        with throughput.measured():
            clock[0] += 2
            throughput.tokens += 30
        clock[0] += 1000
    assert throughput.seconds == 4
    assert throughput.tokens_per_second == 15


def test_a_call_under_way_counts_too(clock: list[float]) -> None:
    throughput = Throughput()
    with throughput.measured():
        clock[0] += 2
        throughput.tokens += 30
        assert throughput.tokens_per_second == 15


def test_a_call_that_fails_leaves_the_clock_stopped(clock: list[float]) -> None:
    throughput = Throughput()

    def fail() -> None:
        with throughput.measured():
            clock[0] += 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    clock[0] += 5
    assert throughput.seconds == 2
