"""The held-out split: nothing leaks, nothing is lost, the same every time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.prompts import Question, held_out_split
from reflection_trainer.prompts.split import sampled_rows


def question(number: int, text: str, system: str | None = None) -> Question:
    messages = [{"role": "user", "content": text}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return Question(id=f"{number}", messages=messages, text=text, row={})


TEXTS = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=60)
SEEDS = st.integers(0, 2**31 - 1)


@given(TEXTS, SEEDS)
def test_every_question_is_on_one_side_in_its_order(texts: list[str], seed: int) -> None:
    questions = [question(number, text) for number, text in enumerate(texts)]
    training, held_out = held_out_split(questions, seed)
    assert sorted(training + held_out, key=lambda q: int(q.id)) == questions
    for side in (training, held_out):
        assert side == sorted(side, key=lambda q: int(q.id))


@given(TEXTS, SEEDS)
def test_equal_questions_are_on_the_same_side(texts: list[str], seed: int) -> None:
    training, held_out = held_out_split([question(n, text) for n, text in enumerate(texts)], seed)
    assert not {q.text for q in training} & {q.text for q in held_out}


@given(TEXTS, SEEDS, st.randoms())
def test_the_order_of_the_file_does_not_matter(texts: list[str], seed: int, random) -> None:
    questions = [question(number, text) for number, text in enumerate(texts)]
    shuffled = list(questions)
    random.shuffle(shuffled)
    assert {q.id for q in held_out_split(questions, seed)[1]} == {
        q.id for q in held_out_split(shuffled, seed)[1]
    }


@given(st.integers(0, 300), SEEDS)
def test_the_share_is_exact_and_both_sides_have_something(count: int, seed: int) -> None:
    training, held_out = held_out_split([question(n, str(n)) for n in range(count)], seed)
    assert len(held_out) == (math.ceil(count * 0.1) if count > 1 else 0)
    assert count < 2 or training


def test_another_seed_is_another_split() -> None:
    questions = [question(number, str(number)) for number in range(200)]
    assert held_out_split(questions, 0)[1] != held_out_split(questions, 1)[1]


def test_neither_system_message_nor_white_space_makes_a_question_another_one() -> None:
    questions = [
        question(n, text, system)
        for n, (text, system) in enumerate([("a", None), ("a ", "x"), (" a", "y")] * 5)
    ]
    others = [question(100 + n, str(n)) for n in range(9)]
    for seed in range(20):
        _, held_out = held_out_split(questions + others, seed)
        assert len([q for q in held_out if q.text.strip() == "a"]) in (0, 15)


@given(st.integers(1, 500), st.integers(1, 600), SEEDS)
def test_a_sample_has_the_size_of_the_limit(rows: int, limit: int, seed: int) -> None:
    chosen = sampled_rows(rows, limit, seed)
    if limit >= rows:
        assert chosen is None
    else:
        assert chosen is not None
        assert len(chosen) == limit
        assert chosen <= set(range(rows))
