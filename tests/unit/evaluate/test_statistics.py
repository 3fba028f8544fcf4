"""Intervals of differences, clustered by question."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.evaluate.statistics import Share, compare, contrast

_ANSWERS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1, max_size=60)


def _share(answers):
    return Share.of([question for question, _ in answers], [correct for _, correct in answers])


def test_comparison_of_a_small_example_by_hand():
    base = Share.of(["a", "a", "b", "b"], [True, False, False, False])
    trained = Share.of(["a", "a", "b", "b"], [True, True, True, False])
    result = compare(base, trained)
    assert (result.base, result.trained, result.change) == (0.25, 0.75, 0.5)
    assert (result.questions, result.samples) == (2, 4)
    # Both questions gain one of two answers: no variation between the clusters, so no uncertainty either.
    assert result.interval == [0.5, 0.5]


def test_one_question_tells_nothing():
    result = compare(Share.of(["a", "a"], [False, False]), Share.of(["a", "a"], [True, True]))
    assert result.interval == [-1.0, 1.0]


@given(_ANSWERS, _ANSWERS)
def test_the_interval_holds_the_change_and_stays_in_bounds(base, trained):
    result = compare(_share(base), _share(trained))
    low, high = result.interval
    assert -1 <= low <= high <= 1
    assert low - 1e-9 <= result.change <= high + 1e-9
    assert result.change == pytest.approx(result.trained - result.base)


@given(_ANSWERS, st.randoms(use_true_random=False))
def test_order_does_not_matter(answers, rng):
    other = list(answers)
    rng.shuffle(other)
    one, two = compare(_share(answers), _share([])), compare(_share(other), _share([]))
    assert one.change == pytest.approx(two.change)
    assert one.interval == pytest.approx(two.interval)


@given(_ANSWERS)
def test_a_model_compared_with_itself_is_exactly_equal(answers):
    result = contrast(_share(answers), _share(answers))
    assert result.difference == 0
    assert result.interval == [0, 0] or result.questions < 2


def test_intervals_cover_the_truth_at_their_nominal_rate():
    """1,000 simulated evaluations with strongly clustered answers; ignoring the clusters would cover only about 75%."""
    rng = random.Random(7)
    covered = 0
    for _ in range(1000):
        base, trained = Share(), Share()
        for question in range(40):
            skill = rng.choice([0.05, 0.9])
            for _ in range(6):
                base.add(str(question), rng.random() < skill)
            other = rng.choice([0.05, 0.9])  # independent of the base model's skill: nothing to pair
            for _ in range(6):
                trained.add(str(question), rng.random() < other)
        low, high = compare(base, trained).interval
        covered += low <= 0 <= high
    assert 0.93 <= covered / 1000 <= 0.975
