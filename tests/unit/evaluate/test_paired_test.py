"""The sign-flip test over the differences of questions."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_trainer.evaluate import paired_test
from reflection_trainer.evaluate.paired_test import p_value
from reflection_trainer.evaluate.statistics import Share, compare, contrast
from scipy.stats import binomtest, permutation_test

_DIFFERENCES = st.lists(st.integers(-8, 8).map(float) | st.floats(-1, 1), max_size=40)
_FEW = st.lists(st.integers(-8, 8), min_size=2, max_size=10).filter(lambda values: sum(map(bool, values)) > 1)


def drawn_instead(monkeypatch):
    monkeypatch.setattr(paired_test, "_EXACT", 0)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        pytest.param([1, 1], 2 / 4, id="++ and --"),
        pytest.param([1, -1], 1, id="a sum of 0"),
        pytest.param([1, 1, 1, 1, 1], 2 / 32, id="five gained"),
        pytest.param([1, 2, 3], 2 / 8, id="sums of 1 2 3: 6 4 2 0 0 -2 -4 -6"),
        pytest.param([-1, 2, 3], 4 / 8, id="the same, 4 seen"),
        pytest.param([1, 2, -3], 1, id="the same, 0 seen"),
        pytest.param([1, 2, 3, 0, 0, 0], 2 / 8, id="what is alike tells nothing"),
        pytest.param([0.1, 0.1, -0.2, 0.5], 10 / 16, id="0.9 0.7 0.7 0.5 0.5 are not below 0.5"),
    ],
)
def test_small_tables_by_hand(differences, p):
    assert p_value(differences) == p


@pytest.mark.parametrize("differences", [[], [1], [0, 0, 0], [0, 0, 3]])
def test_fewer_than_two_questions_that_differ_tell_nothing(differences):
    assert p_value(differences) is None


@given(_DIFFERENCES, st.randoms(use_true_random=False))
def test_it_is_a_probability_that_knows_neither_order_nor_direction_nor_scale(differences, rng):
    found = p_value(differences)
    other = [-2 * value for value in differences]
    rng.shuffle(other)
    assert found is None or 0 < found <= 1
    assert p_value(other) == found


@given(_FEW)
def test_few_questions_give_what_scipy_gives(differences):
    def total(values, axis):
        return np.sum(values, axis=axis)

    exact = permutation_test(
        (np.array(differences, dtype=float),),
        total,
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert p_value(differences) == pytest.approx(exact.pvalue)


@settings(max_examples=30)
@given(_FEW)
def test_drawn_signs_come_near_all_signs(differences):
    exact = p_value(differences)
    with pytest.MonkeyPatch.context() as monkeypatch:
        drawn_instead(monkeypatch)
        assert p_value(differences) == pytest.approx(exact, abs=4.5 * 0.005)


@pytest.mark.parametrize(("gained", "lost"), [(60, 40), (9, 7), (300, 250)])
def test_single_answers_give_the_exact_test_of_mcnemar(gained, lost):
    expected = binomtest(gained, gained + lost).pvalue
    assert p_value([1] * gained + [-1] * lost + [0] * 50) == pytest.approx(expected, abs=0.02)


def test_many_questions_all_one_way_have_the_smallest_value_that_draws_can_give():
    assert p_value([1] * 100) == 1 / 10_001


def share(answers):
    made = Share()
    for question, right, judged in answers:
        for number in range(judged):
            made.add(question, number < right)
    return made


def test_the_questions_of_a_comparison_are_weighed_by_their_answers():
    """Differences by hand: 3 - 1 = 2 of a, 0 - 1 = -1 of b, 2 - 0 = 2 of c. |sums| are 5 1 3 1 1 3 1 5; 3 is seen."""
    base, trained = (
        share([("a", 1, 4), ("b", 1, 1), ("c", 0, 2)]),
        share([("a", 3, 4), ("b", 0, 1), ("c", 2, 2)]),
    )
    assert compare(base, trained).p_value == 4 / 8
    assert contrast(trained, base).p_value == 4 / 8


def test_sides_with_unequal_answers_are_compared_by_share():
    """a: (2/2 - 1/4) * 3 = 2.25; b: (0/2 - 1/2) * 2 = -1. 1.25 is the smaller of the two |sums|."""
    base, trained = share([("a", 1, 4), ("b", 1, 2)]), share([("a", 2, 2), ("b", 0, 2)])
    assert compare(base, trained).p_value == 1
    assert compare(base, share([("a", 2, 2), ("b", 2, 2)])).p_value == 0.5


def test_without_the_same_questions_there_is_no_test():
    base = share([("a", 0, 1), ("b", 0, 1), ("c", 0, 1)])
    assert compare(base, share([("a", 1, 1), ("b", 1, 1)])).p_value is None
    assert compare(base, base).p_value is None


@pytest.mark.parametrize(("questions", "least"), [pytest.param(10, 0.005, id="coarse: few sums"), (60, 0.03)])
def test_a_model_that_did_not_change_is_said_to_have_changed_no_more_often_than_stated(questions, least):
    """1,000 simulated evaluations: of clustered answers at most 5% have p <= 0.05, and of those with a real gain most have."""
    rng = random.Random(3)
    false, true = 0, 0
    for _ in range(1000):
        base, trained, better = Share(), Share(), Share()
        for question in range(questions):
            skill = rng.choice((0.05, 0.5))
            for _ in range(4):
                for made, gain in ((base, 0.0), (trained, 0.0), (better, 0.4)):
                    made.add(str(question), rng.random() < skill + gain)
        false += (compare(base, trained).p_value or 1) <= 0.05
        true += (compare(base, better).p_value or 1) <= 0.05
    assert least <= false / 1000 <= 0.065
    assert true / 1000 > 0.8
