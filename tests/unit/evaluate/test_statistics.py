"""Intervals of differences, clustered by question."""

from __future__ import annotations

import random
from itertools import combinations
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.evaluate.statistics import Share, at_least_one_of, compare, contrast

_ANSWERS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1, max_size=60)
T_9 = 2.262
"""Two-sided 95% quantile of Student's t with 9 degrees of freedom, from a table."""


def _share(answers):
    share = Share()
    for question, correct in answers:
        share.add(question, correct)
    return share


def test_comparison_of_a_small_example_by_hand():
    base = _share([("a", True), ("a", False), ("b", False), ("b", False)])
    trained = _share([("a", True), ("a", True), ("b", True), ("b", False)])
    result = compare(base, trained)
    assert (result.base, result.trained, result.change) == (0.25, 0.75, 0.5)
    assert (result.questions, result.samples) == (2, 4)


def test_interval_of_pairs_is_the_published_one():
    """One answer per question: 10 pairs, 5 of them gained and 1 lost (Bonett and Price 2012, with Student's t)."""
    base = _share([(str(n), n in (6, 7, 8)) for n in range(10)])
    trained = _share([(str(n), n < 5 or n in (7, 8)) for n in range(10)])
    gained, lost = 6 / 12, 2 / 12
    centre, variance = gained - lost, (gained + lost - (gained - lost) ** 2) / 11
    half = T_9 * sqrt(variance)
    assert compare(base, trained).interval == pytest.approx([centre - half, centre + half], abs=1e-3)


def test_several_answers_to_a_question_are_not_several_questions():
    few = [(str(question), question % 2 == 0) for question in range(10)]
    once = contrast(_share(few), _share([(question, False) for question, _ in few]))
    often = contrast(_share(few * 50), _share([(question, False) for question, _ in few * 50]))
    assert often.samples == 50 * once.samples
    assert often.interval == pytest.approx(once.interval)


def test_one_question_tells_nothing():
    result = compare(_share([("a", False)] * 9), _share([("a", True)] * 9))
    assert result.interval == [-1.0, 1.0]


@pytest.mark.parametrize("verdict", [True, False])
def test_answers_that_are_all_alike_are_no_certainty(verdict):
    def width(questions):
        same = _share([(str(question), verdict) for question in range(questions)])
        low, high = contrast(same, same).interval
        assert low == pytest.approx(-high)
        return high

    assert width(3) > 0.5
    assert width(30) > 0.05
    assert width(3000) < 0.001


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


@given(_ANSWERS, _ANSWERS)
def test_the_other_way_round_is_the_opposite(one, other):
    there, back = contrast(_share(one), _share(other)), contrast(_share(other), _share(one))
    assert there.difference == pytest.approx(-back.difference)
    assert there.interval == pytest.approx([-back.interval[1], -back.interval[0]])


@given(_ANSWERS)
def test_a_model_compared_with_itself_is_exactly_equal(answers):
    result = contrast(_share(answers), _share(answers))
    assert result.difference == 0
    assert result.interval[0] < 0 < result.interval[1]


@pytest.mark.parametrize(
    ("skills", "questions", "most"),
    [
        pytest.param((0.05, 0.9), 40, 0.975, id="ignoring the clusters would cover only about 75%"),
        pytest.param((0.05, 0.9), 8, 1, id="few questions"),
        pytest.param((0.01, 0.05), 40, 1, id="hardly an answer is right: on the safe side"),
    ],
)
def test_intervals_cover_the_truth_at_their_nominal_rate(skills, questions, most):
    """1,000 simulated evaluations with clustered answers."""
    rng = random.Random(7)
    covered = 0
    for _ in range(1000):
        base, trained = Share(), Share()
        for question in range(questions):
            for share in (base, trained):  # independent of each other: nothing to pair
                skill = rng.choice(skills)
                for _ in range(6):
                    share.add(str(question), rng.random() < skill)
        low, high = compare(base, trained).interval
        covered += low <= 0 <= high
    assert 0.93 <= covered / 1000 <= most


def test_intervals_cover_a_real_gain_of_matched_questions():
    """The truth is +0.3 on every question, whose own difficulty varies: pairing removes it from the interval."""
    rng = random.Random(8)
    covered, widths = 0, []
    for _ in range(1000):
        base, trained = Share(), Share()
        for question in range(60):
            skill = rng.choice([0.1, 0.6])
            for _ in range(4):
                base.add(str(question), rng.random() < skill)
                trained.add(str(question), rng.random() < skill + 0.3)
        low, high = compare(base, trained).interval
        covered += low <= 0.3 <= high
        widths.append(high - low)
    assert 0.93 <= covered / 1000 <= 0.98
    assert sum(widths) / 1000 < 0.19


@given(verdicts=st.lists(st.booleans(), min_size=1, max_size=8), data=st.data())
def test_one_of_k_is_the_share_of_all_choices_of_k_with_a_right_answer(verdicts, data):
    k = data.draw(st.integers(1, len(verdicts)))
    chosen = list(combinations(verdicts, k))
    share = at_least_one_of(_share([("q", verdict) for verdict in verdicts]), k)
    assert share.value == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert share.samples == 1


def test_one_of_k_gives_each_question_equal_weight():
    answers = [("a", True), ("a", False), ("b", False), ("b", False), ("b", False), ("b", False)]
    assert at_least_one_of(_share(answers), 2).value == 0.5
