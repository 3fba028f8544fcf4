"""Who gets whose reflection."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.evaluate.shuffle import shuffled

_QUESTIONS = st.lists(st.sampled_from([f"q{n}" for n in range(12)]), max_size=80)


@given(_QUESTIONS)
def test_no_row_gets_a_reflection_on_its_own_question_and_none_is_given_twice(questions):
    givers = shuffled(questions)
    assert len(givers) == len(questions)
    given_away = [giver for giver in givers if giver is not None]
    assert len(given_away) == len(set(given_away))
    assert all(questions[row] != questions[giver] for row, giver in enumerate(givers) if giver is not None)


@given(_QUESTIONS)
def test_every_row_gets_one_unless_a_question_has_more_than_half(questions):
    largest = max(Counter(questions).values(), default=0)
    left_out = shuffled(questions).count(None)
    assert left_out == max(0, 2 * largest - len(questions))


@given(_QUESTIONS, st.randoms(use_true_random=False))
def test_which_question_gives_to_which_does_not_depend_on_the_order_of_the_file(questions, rng):
    """Both models' rows stand in the same order in practice; this says that nothing hangs on it."""
    rows = list(range(len(questions)))
    rng.shuffle(rows)
    mixed = [questions[row] for row in rows]
    pairs = Counter(
        (mixed[row], None if giver is None else mixed[giver]) for row, giver in enumerate(shuffled(mixed))
    )
    assert pairs == Counter(
        (questions[row], None if giver is None else questions[giver])
        for row, giver in enumerate(shuffled(questions))
    )


def test_neighbours_in_the_file_are_no_neighbours_in_the_shuffle():
    """Prompts files are often sorted: the next question would often be nearly the same one."""
    givers = shuffled([f"{number:08d}" for number in range(1000)])
    near = sum(abs(row - giver) <= 2 for row, giver in enumerate(givers) if giver is not None)
    assert near < 30
