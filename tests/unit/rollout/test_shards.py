"""How answers are cut into shards and seeds: the same every time, whoever does the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.prompts import Question
from reflection_trainer.rollout.shards import (
    attempts_of,
    parse_name,
    plan_shards,
    shard_count,
    shards_of_worker,
)

QUESTIONS = st.integers(1, 3000)
ATTEMPTS = st.integers(1, 64)
WORKERS = st.integers(1, 1024)


def questions(count: int) -> list[Question]:
    return [Question(id=f"{n:08d}", messages=[], text=str(n), row={}) for n in range(count)]


@given(QUESTIONS, ATTEMPTS, WORKERS)
def test_every_question_is_in_one_shard_of_one_worker(count: int, attempts: int, workers: int) -> None:
    asked = questions(count)
    shards = plan_shards(asked, attempts, workers)
    assert [question for shard in shards for question in shard.questions] == asked
    done = [shard for worker in range(workers) for shard in shards_of_worker(shards, worker, workers)]
    assert sorted(shard.index for shard in done) == list(range(len(shards)))


@given(QUESTIONS, ATTEMPTS, WORKERS)
def test_shards_are_equally_large_and_none_is_empty(count: int, attempts: int, workers: int) -> None:
    sizes = [len(shard.questions) for shard in plan_shards(questions(count), attempts, workers)]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@given(QUESTIONS, ATTEMPTS, WORKERS, WORKERS)
def test_the_number_of_workers_does_not_change_the_shards(
    count: int, attempts: int, few: int, more: int
) -> None:
    """Unless there would be more workers than shards."""
    least = shard_count(count, attempts, 1)
    if max(few, more) <= least:
        assert shard_count(count, attempts, few) == shard_count(count, attempts, more)
    assert shard_count(count, attempts, more) == min(count, max(least, more))


def test_sizes() -> None:
    assert shard_count(862, 4, 1) == 14
    assert shard_count(20_000, 8, 4) == 40
    assert shard_count(20_000, 8, 64) == 64
    assert shard_count(1, 64, 1) == 1
    assert shard_count(2, 1, 8) == 2


@given(st.integers(0, 2**31 - 1), WORKERS, WORKERS)
def test_attempts_do_not_depend_on_the_cut(seed: int, few: int, more: int) -> None:
    def all_attempts(workers: int) -> list[tuple[str, int]]:
        shards = plan_shards(questions(40), 3, workers)
        return [(attempt.id, attempt.seed) for shard in shards for attempt in attempts_of(shard, 3, seed)]

    assert all_attempts(few) == all_attempts(more)


def test_attempts_have_ids_and_seeds_of_their_own() -> None:
    [shard] = plan_shards(questions(50), 4, 1)
    attempts = attempts_of(shard, 4, 0)
    assert len({attempt.id for attempt in attempts}) == len({attempt.seed for attempt in attempts}) == 200
    assert [attempt.id for attempt in attempts[:5]] == [*(f"00000000-0{n}" for n in range(4)), "00000001-00"]
    assert not {a.seed for a in attempts} & {a.seed for a in attempts_of(shard, 4, 1)}


@given(st.integers(0, 99_999), st.integers(0, 99_999))
def test_names_read_back(index: int, count: int) -> None:
    assert parse_name(f"attempts-{index:05d}-of-{count:05d}.parquet") == (index, count)


def test_other_names_are_not_shards() -> None:
    for name in (
        "manifest.json",
        "attempts-00000-of-00001.parquet.manifest.json",
        "failures-00000-of-00001.parquet",
        "",
    ):
        assert parse_name(name) is None
