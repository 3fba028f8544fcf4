"""Which failures a step sees: all of them once a pass, the same ones however often the run is resumed."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.train.sampler import FailureSampler


def sampler(failures=10, failures_per_step=4, generations=2, repeats=1, steps=5, seed=0):
    return FailureSampler(
        failures=failures,
        failures_per_step=failures_per_step,
        generations=generations,
        repeats=repeats,
        steps=steps,
        seed=seed,
    )


counts = {
    "failures": st.integers(1, 40),
    "failures_per_step": st.integers(1, 20),
    "seed": st.integers(0, 2**31 - 1),
}


@given(passes=st.integers(1, 4), **counts)
def test_each_pass_shows_every_failure_once(passes, **settings):
    """Also the last few, that do not fill a step."""
    drawn: list[int] = []
    step = 0
    while len(drawn) < passes * settings["failures"]:
        drawn += sampler(**settings).failures_of(step)
        step += 1
    for number in range(passes):
        one_pass = drawn[number * settings["failures"] : (number + 1) * settings["failures"]]
        assert sorted(one_pass) == list(range(settings["failures"]))


@given(step=st.integers(0, 200), others=st.lists(st.integers(0, 200)), **counts)
def test_a_step_does_not_depend_on_the_steps_drawn_before(step, others, **settings):
    used = sampler(**settings)
    for other in others:
        used.failures_of(other)
    assert used.failures_of(step) == sampler(**settings).failures_of(step)


@given(generations=st.integers(2, 5), repeats=st.integers(1, 4), steps=st.integers(1, 6), **counts)
def test_the_rows_of_a_step_are_its_groups_as_often_as_trl_asks(generations, repeats, steps, **settings):
    drawn = sampler(generations=generations, repeats=repeats, steps=steps, **settings)
    rows = list(drawn)
    assert len(rows) == len(drawn)
    size = settings["failures_per_step"] * generations
    for step in range(steps):
        blocks = rows[step * size * repeats : (step + 1) * size * repeats]
        expected = [failure for failure in drawn.failures_of(step) for _ in range(generations)]
        assert blocks == expected * repeats


def test_two_passes_and_two_seeds_are_shuffled_differently():
    first = sampler(failures=50, failures_per_step=50)
    assert first.failures_of(0) != first.failures_of(1)
    assert first.failures_of(0) != sampler(failures=50, failures_per_step=50, seed=1).failures_of(0)


def test_with_too_few_failures_some_stand_in_a_step_twice():
    assert Counter(sampler(failures=3, failures_per_step=7).failures_of(0)).total() == 7
    assert set(sampler(failures=3, failures_per_step=7).failures_of(0)) == {0, 1, 2}


def test_the_order_is_the_one_of_earlier_versions():
    """A changed order would continue a stored checkpoint with other failures."""
    assert list(islice(sampler(generations=1), 12)) == [8, 6, 2, 3, 7, 9, 4, 1, 0, 5, 9, 8]
