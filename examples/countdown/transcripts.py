"""The conversations that the tiny model is warm-started on: question, answer, reflection, retry, all of them noisy.

They stand in for what a pretrained model brings: it answers, it can reflect, it does in the retry what its
reflection says, and it is often wrong. What to reflect *well* is what reflection training has to find.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from questions import OPERATORS, Question

Messages = list[dict[str, str]]

REFLECTION_REQUEST = "wrong reflect"
RETRY_REQUEST = "retry {question}"
"""The two requests of reflectiontraining.yaml (spec.task.templates); a test holds them together."""

VERBS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
OPENERS = ("i should", "next time", "maybe")
EMPTY_REFLECTIONS = ("i was careless", "i will try harder")


@dataclass(frozen=True)
class Habits:
    """How often the transcripts are right; the rest is a uniformly drawn wrong operator."""

    first_answer_right: float = 0.40
    reflection_names_operator: float = 0.75
    """Share of reflections that name an operator at all; the others say nothing of use."""
    named_operator_right: float = 0.40
    """Above the chance of 0.25: without any signal, reinforcement learning would have nothing to amplify."""


def transcript(question: Question, rng: random.Random, habits: Habits) -> Messages:
    """One whole conversation of six turns. The retry always does what the reflection says."""
    answer = question.answer_with(_noisy_operator(question, habits.first_answer_right, rng))
    reflection, operator = _reflection(question, rng, habits)
    return [
        {"role": "user", "content": question.text},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": REFLECTION_REQUEST},
        {"role": "assistant", "content": reflection},
        {"role": "user", "content": RETRY_REQUEST.format(question=question.text)},
        {"role": "assistant", "content": question.answer_with(operator)},
    ]


def _reflection(question: Question, rng: random.Random, habits: Habits) -> tuple[str, str]:
    """A reflection and the operator of the retry that follows it."""
    if rng.random() < habits.reflection_names_operator:
        operator = _noisy_operator(question, habits.named_operator_right, rng)
        return f"{rng.choice(OPENERS)} use {VERBS[operator]}", operator
    return rng.choice(EMPTY_REFLECTIONS), rng.choice(OPERATORS)


def _noisy_operator(question: Question, right: float, rng: random.Random) -> str:
    if rng.random() < right:
        return question.operator
    return rng.choice([op for op in OPERATORS if op != question.operator])
