"""Which failures a step sees: all of them once a pass, the same ones however often the run is resumed."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.train.deck import Deck, shuffled

failures = st.integers(1, 40)
seeds = st.integers(0, 2**31 - 1)


@given(failures, seeds, st.integers(1, 4))
def test_each_pass_shows_every_failure_once(count, seed, passes):
    deck = Deck(count, seed=seed)
    for _ in range(passes):
        assert sorted(deck.draw(count)) == list(range(count))


@given(failures, seeds, st.lists(st.integers(0, 30), max_size=6))
def test_draws_follow_one_another(count, seed, draws):
    deck = Deck(count, seed=seed)
    drawn = [number for each in draws for number in deck.draw(each)]
    assert drawn == Deck(count, seed=seed).draw(sum(draws))
    assert deck.position == len(drawn)


@given(failures, seeds, st.integers(0, 200), st.integers(0, 50))
def test_a_deck_goes_on_from_a_position(count, seed, position, more):
    whole, resumed = Deck(count, seed=seed), Deck(count, seed=seed)
    whole.draw(position)
    resumed.position = position
    assert whole.draw(more) == resumed.draw(more)


@given(st.integers(1, 300), st.integers(0, 2**31 - 1))
def test_a_shuffle_is_a_permutation(count, key):
    assert sorted(shuffled(index, count, key=key) for index in range(count)) == list(range(count))


def test_every_failure_comes_first_about_as_often():
    """Chi-square over 4,000 shuffles of ten failures: 9 degrees of freedom, 33.7 is passed by 1 in 10,000."""
    firsts = Counter(shuffled(0, 10, key=key) for key in range(4000))
    assert sum((firsts[failure] - 400) ** 2 / 400 for failure in range(10)) < 33.7


def test_neighbours_do_not_stay_neighbours():
    order = [shuffled(index, 1000, key=5) for index in range(1000)]
    assert sum(abs(a - b) == 1 for a, b in pairwise(order)) < 20


def test_two_passes_and_two_seeds_are_shuffled_differently():
    deck = Deck(50, seed=0)
    first, second = deck.draw(50), deck.draw(50)
    assert first != second
    assert first != Deck(50, seed=1).draw(50)


def test_with_too_few_failures_some_stand_in_a_step_twice():
    drawn = Deck(3, seed=0).draw(7)
    assert len(drawn) == 7
    assert set(drawn) == {0, 1, 2}


def test_a_billion_failures_take_no_memory():
    tracemalloc.start()
    drawn = Deck(10**9, seed=0).draw(1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(drawn)) == 1000
    assert peak < 1_000_000


def test_the_order_is_the_one_of_earlier_versions():
    """A changed order would continue a stored checkpoint with other failures."""
    assert Deck(10, seed=0).draw(12) == [7, 8, 5, 6, 9, 0, 1, 4, 2, 3, 7, 1]
