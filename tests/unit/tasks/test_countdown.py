"""Puzzles: each has a solution, none stands twice, and the same seed gives the same ones."""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction
from itertools import combinations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.tasks import CountdownSource
from reflection_trainer.errors import BadConfig, BadData
from reflection_trainer.tasks.countdown import countdown_rows
from reflection_trainer.verify.countdown import Countdown


def reachable(values: tuple[Fraction, ...]) -> set[Fraction]:
    """Every value of an equation with each number once: all pairs, all operators, both orders."""
    if len(values) == 1:
        return set(values)
    found: set[Fraction] = set()
    for one, other in combinations(range(len(values)), 2):
        rest = tuple(value for index, value in enumerate(values) if index not in (one, other))
        a, b = values[one], values[other]
        results = {a + b, a - b, b - a, a * b} | ({a / b} if b else set()) | ({b / a} if a else set())
        for result in results:
            found |= reachable((*rest, result))
    return found


@settings(max_examples=25)
@given(
    fewest=st.integers(2, 4),
    more=st.integers(0, 2),
    largest=st.integers(5, 1000),
    operators=st.sets(st.sampled_from("+-*/"), min_size=1),
    seed=st.integers(0, 2**53 - 1),
)
def test_every_puzzle_has_a_solution_and_stays_within_the_bounds(fewest, more, largest, operators, seed):
    source = CountdownSource(
        fewest=fewest, most=min(fewest + more, 4), largest=largest, operators="".join(sorted(operators))
    )
    rows = []
    with contextlib.suppress(BadConfig):  # division alone, with small numbers
        rows.extend(countdown_rows(source, 10, seed))
    assert len({row.key for row in rows}) == len(rows)
    for row in rows:
        nums, target = row.columns["nums"], row.columns["target"]
        Countdown().check_row(row.columns)
        assert fewest <= len(nums) <= source.most
        assert all(1 <= number <= largest for number in nums)
        assert 1 <= target <= 999
        assert Fraction(target) in reachable(tuple(map(Fraction, nums)))
        assert f"numbers {', '.join(map(str, nums))}," in row.columns["prompt"]
        assert f"equals {target}." in row.columns["prompt"]


def test_the_seed_decides():
    same = [list(countdown_rows(CountdownSource(), 50, seed)) for seed in (1, 1, 2)]
    assert same[0] == same[1]
    assert not {row.key for row in same[0]} & {row.key for row in same[2]}


def test_more_than_there_are():
    source = CountdownSource(fewest=2, most=2, largest=3, operators="+")
    with pytest.raises(BadConfig) as caught:
        list(countdown_rows(source, 100, 0))
    assert caught.value.message == (
        "--count 100: only 6 different questions were found; lower it, or raise --largest, --most or --largest-target"
    )


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_published_dataset_as_it_is(tmp_path, suffix):
    rows = [{"nums": [44, 19, 35], "target": 98}, {"nums": [63, 95, 96], "target": 64}]
    file = tmp_path / f"countdown.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(countdown_rows(CountdownSource(file=str(file)), None, 0))
    assert [{"nums": row.columns["nums"], "target": row.columns["target"]} for row in found] == rows


def test_a_row_that_is_no_puzzle(tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"nums": [1, 2], "target": 3}\n{"nums": [1, "x"], "target": 3}\n')
    with pytest.raises(BadData) as caught:
        list(countdown_rows(CountdownSource(file=str(file)), None, 0))
    assert caught.value.message.startswith("bad.jsonl:2: nums ")
