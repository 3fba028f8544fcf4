"""The conversations of the warm start: obedient retries, and the stated noise."""

from __future__ import annotations

import random
from collections import Counter

import questions
import transcripts

SAMPLES = 20_000
OPERATOR_OF = {verb: operator for operator, verb in transcripts.VERBS.items()}


def sampled() -> list[tuple[questions.Question, list[str]]]:
    rng = random.Random(11)
    train, _ = questions.split_questions()
    picked = [rng.choice(train) for _ in range(SAMPLES)]
    return [
        (q, [turn["content"] for turn in transcripts.transcript(q, rng, transcripts.Habits())])
        for q in picked
    ]


def share(wins: int, of: int) -> float:
    return wins / of


def test_the_noise_is_as_stated() -> None:
    habits = transcripts.Habits()
    right = named = named_right = 0
    for question, texts in sampled():
        right += texts[1] == question.answer_with(question.operator)
        operator = OPERATOR_OF.get(texts[3].split()[-1])
        named += operator is not None
        named_right += operator == question.operator
    # Four standard errors of a share of 20,000 are below 0.015.
    assert abs(share(right, SAMPLES) - habits.first_answer_right) < 0.015
    assert abs(share(named, SAMPLES) - habits.reflection_names_operator) < 0.015
    assert abs(share(named_right, named) - habits.named_operator_right) < 0.02


def test_a_retry_does_what_its_reflection_says() -> None:
    for question, texts in sampled():
        operator = OPERATOR_OF.get(texts[3].split()[-1])
        if operator:
            assert texts[5] == question.answer_with(operator)


def test_an_empty_reflection_leads_to_every_operator_equally_often() -> None:
    seen = Counter(texts[5].split()[1] for _, texts in sampled() if texts[3] in transcripts.EMPTY_REFLECTIONS)
    assert set(seen) == set(questions.OPERATORS)
    assert max(seen.values()) / sum(seen.values()) < 0.29
