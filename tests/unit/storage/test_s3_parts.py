"""How an object is cut into parts, and how long a request is tried again."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig
from reflection_trainer.patience import Patience
from reflection_trainer.storage.s3.parts import MIB, PART, Part, for_each, parts_of, uploaded_part

TIB = 1 << 40


@given(st.integers(0, 50 * PART), st.integers(1, 3 * PART))
def test_parts_cover_the_object_without_a_gap(size: int, part: int) -> None:
    part = max(part, size // 1000 + 1)
    parts = parts_of(size, part)
    assert [each.number for each in parts] == list(range(1, len(parts) + 1))
    assert sum(each.size for each in parts) == size
    assert all(one.start + one.size == other.start for one, other in itertools.pairwise(parts))
    assert all(each.size == part for each in parts[:-1])


@given(st.integers(1, 5 * TIB))
def test_uploads_keep_to_the_limits_of_s3(size: int) -> None:
    part = uploaded_part(size)
    assert part >= PART
    assert part % MIB == 0
    assert -(-size // part) <= 10_000
    assert part <= 5 << 30


def test_parts_are_no_larger_than_they_must_be() -> None:
    assert uploaded_part(10_000 * PART) == PART
    assert uploaded_part(10_000 * PART + 1) == PART + MIB


def test_results_are_in_order() -> None:
    parts = parts_of(40, 1)
    assert for_each(parts, lambda part, stop: part.number) == list(range(1, 41))
    assert for_each([], lambda part, stop: part.number) == []


def test_the_first_failure_stops_the_others() -> None:
    done: list[int] = []
    failed = threading.Event()

    def work(part: Part, stop: threading.Event) -> None:
        if part.number == 2:
            failed.set()
            raise ValueError("the second")
        failed.wait(60)
        stop.wait(60)
        done.append(part.number)

    with pytest.raises(ValueError, match="the second"):
        for_each(parts_of(100, 1), work)
    assert set(done) <= {1, 3, 4, 5}


SECONDS = st.floats(0.1, 1000)


@given(SECONDS, st.integers(1, 10_000), st.floats(0, 1000), st.floats(0, 1))
def test_pauses_are_bounded(seconds: float, failures: int, elapsed: float, chance: float) -> None:
    pause = Patience(seconds).pause(failures, elapsed, chance)
    if elapsed >= seconds:
        assert pause is None
    else:
        assert pause is not None
        assert 0 < pause <= seconds / 9 + 1e-9
        assert elapsed + pause <= seconds + 1e-6


def test_pauses_grow_up_to_a_bound_and_differ_by_chance() -> None:
    patience = Patience(180)
    longest = [patience.pause(failures, 0, 1) for failures in range(1, 9)]
    assert longest == [0.5, 1, 2, 4, 8, 16, 20, 20]
    assert [patience.pause(failures, 0, 0) for failures in range(1, 9)] == [each / 2 for each in longest]
    assert len({patience.pause(8, 0) for _ in range(20)}) > 10


@given(st.lists(st.floats(0, 1), min_size=200, max_size=200))
def test_an_outage_of_a_minute_is_survived_with_the_default(chances: list[float]) -> None:
    """Whatever the chances: there is a try after the outage has ended."""
    elapsed = 0.0
    for failures, chance in enumerate(chances, start=1):
        pause = Patience().pause(failures, elapsed, chance)
        assert pause is not None
        elapsed += pause
        if elapsed > 60:
            break
    assert 60 < elapsed <= 80


@pytest.mark.parametrize("text", ["", "long", "-1", "nan", "inf", "1e9"])
def test_a_patience_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLECT_STORAGE_PATIENCE", text)
    with pytest.raises(BadConfig) as caught:
        Patience.of_environment("REFLECT_STORAGE_PATIENCE")
    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.message.startswith(f"REFLECT_STORAGE_PATIENCE={text}: give a number of seconds")


def test_patience_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Patience.of_environment("REFLECT_STORAGE_PATIENCE").seconds == 180
    monkeypatch.setenv("REFLECT_STORAGE_PATIENCE", "2.5")
    assert Patience.of_environment("REFLECT_STORAGE_PATIENCE").seconds == 2.5
