"""The two steps with a scripted model: what it is asked, and in which conversation."""

from __future__ import annotations

import pytest
from reflection_api.contract import TemplatesSettings
from reflection_trainer.conversation import Conversation
from reflection_trainer.train.meter import Meter
from reflection_trainer.train.reflect_retry import Failure, ReflectRetry, Sample

TEMPLATES = TemplatesSettings(
    reflection="{{ answer }} is wrong, reflect",
    retry="{{ question }} again, hint {{ row.hint }}, after {{ reflection }}",
)


class Scripted:
    """Says the scripted words and remembers what it was asked."""

    def __init__(self, *answers: list[str], finished: list[bool] | None = None) -> None:
        self.answers = list(answers)
        self.finished = finished
        self.asked: list[tuple[list[list[dict[str, str]]], int]] = []

    def generate(self, conversations, max_new_tokens):
        self.asked.append((list(conversations), max_new_tokens))
        texts = self.answers.pop(0)
        ended = self.finished or [True] * len(texts)
        return [
            Sample([1], list(range(len(text.split()) + 1)), text, finished)
            for text, finished in zip(texts, ended, strict=True)
        ]


class Judge:
    """Pays every reflection by the number of its row."""

    def score(self, failures, reflections, retries):
        return [float(row) for row, _ in enumerate(failures)]


def failure(number: int) -> Failure:
    conversation = Conversation(TEMPLATES)
    question = [{"role": "system", "content": "be brief"}, {"role": "user", "content": f"question {number}"}]
    row = {"hint": f"h{number}"}
    return Failure(str(number), conversation.reflection_prompt(question, f"answer {number}", row), row)


@pytest.fixture
def meter():
    return Meter()


@pytest.fixture
def steps(meter):
    return make(meter)


def make(meter, retries=1):
    return ReflectRetry(
        Conversation(TEMPLATES), Judge(), reflection_tokens=7, retry_tokens=3, retries=retries, meter=meter
    )


def test_the_retry_follows_its_own_reflection_in_the_same_conversation(steps):
    model = Scripted(["be careful", "add"], ["1 + 2", "4"])
    result = steps.run([failure(1), failure(2)], model)
    (first, first_limit), (second, second_limit) = model.asked
    assert (first_limit, second_limit) == (7, 3)
    assert [turn["content"] for turn in first[1]] == [
        "be brief",
        "question 2",
        "answer 2",
        "answer 2 is wrong, reflect",
    ]
    assert second[1][:4] == first[1]
    assert second[1][4:] == [
        {"role": "assistant", "content": "add"},
        {"role": "user", "content": "question 2 again, hint h2, after add"},
    ]
    assert [trial.reflection.text for trial in result] == ["be careful", "add"]
    assert [[retry.text for retry in trial.retries] for trial in result] == [["1 + 2"], ["4"]]
    assert [trial.failure.id for trial in result] == ["1", "2"]
    assert [trial.reward for trial in result] == [0.0, 1.0]


def test_the_same_failure_in_several_rows_keeps_the_rows_apart(steps):
    model = Scripted(["a", "b"], ["x", "y"])
    steps.run([failure(1), failure(1)], model)
    assert [conversation[4]["content"] for conversation in model.asked[1][0]] == ["a", "b"]


def test_an_empty_reflection_is_a_turn_all_the_same(steps):
    model = Scripted([""], ["x"])
    steps.run([failure(1)], model)
    assert model.asked[1][0][0][4] == {"role": "assistant", "content": ""}


def test_tokens_rows_and_cut_off_rows_are_counted(steps, meter):
    steps.run([failure(1), failure(2)], Scripted(["a b", "c"], ["x", "y"], finished=[False, True]))
    counts = meter.finish_step()
    assert (counts.rows, counts.truncated, counts.retries_truncated) == (2, 1, 1)
    assert (counts.reflection_tokens, counts.retry_tokens) == (5, 4)


def test_several_retries_follow_the_same_reflection(meter):
    model = Scripted(["be careful", "add"], ["a", "b", "c", "d", "e", "f"])
    result = make(meter, retries=3).run([failure(1), failure(2)], model)
    assert [[retry.text for retry in trial.retries] for trial in result] == [["a", "b", "c"], ["d", "e", "f"]]
    prompts = model.asked[1][0]
    assert prompts[0] == prompts[1] == prompts[2] != prompts[3] == prompts[5]
    counts = meter.finish_step()
    assert (counts.rows, counts.retries, counts.retry_tokens) == (2, 6, 12)


def test_who_keeps_others_company_samples_as_often_and_is_neither_judged_nor_counted(
    steps, meter, monkeypatch
):
    monkeypatch.delattr(Judge, "score")
    model = Scripted(["be careful"], ["x"])
    steps.accompany(failure(1), model)
    assert [limit for _, limit in model.asked] == [7, 3]
    counts = meter.finish_step()
    assert (counts.rows, counts.retries, counts.reflection_tokens, counts.retry_tokens) == (0, 0, 0, 0)
    assert counts.seconds_reflect > 0, "the time is the step's all the same"


def test_a_failure_knows_the_question_it_came_from():
    assert [turn["content"] for turn in failure(3).question] == ["be brief", "question 3"]
