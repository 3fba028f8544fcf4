"""Which questions the models are compared on, and whether there is room for the conversations about them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, BadData
from reflection_trainer.evaluate.question_sets import question_sets
from reflection_trainer.rollout.questions import questions_of
from reflection_trainer.rollout.room import room_needed
from reflection_trainer.verify.registry import make_verifier

from .scripted import Words, config, question

EXACT = make_verifier("exact")


@dataclass
class Model:
    """What is looked at of a model's folder."""

    context_length: int
    tokenizer: Words


def prompts(file, texts):
    file.write_text("".join(json.dumps({"prompt": text, "answer": "a"}) + "\n" for text in texts))
    return file


def test_what_training_leaves_out_is_what_is_evaluated(tmp_path):
    file = prompts(tmp_path / "train.jsonl", [f"question {n}" for n in range(200)])
    settings = config(tmp_path, **{"task.prompts": {"uri": file.as_uri(), "seed": 5, "limit": 150}})
    trained_on = questions_of(settings, file, EXACT).training
    held_out, train = question_sets(settings, EXACT)
    assert (held_out.file, train) == (file, None)
    assert len(held_out.questions) == 15
    assert len(trained_on) + len(held_out.questions) == 150
    assert not {row.text for row in trained_on} & {row.text for row in held_out.questions}


@pytest.mark.parametrize("own", [False, True], ids=["a tenth held out", "own held-out file"])
def test_a_sample_of_what_training_saw_beside_it(tmp_path, own):
    file = prompts(tmp_path / "train.jsonl", [f"question {n}" for n in range(200)])
    other = prompts(tmp_path / "heldout.jsonl", [f"other {n}" for n in range(30)])
    changes = {"task.prompts": {"uri": file.as_uri(), "seed": 5, "limit": 150}, "evaluation.trainPrompts": 40}
    settings = config(tmp_path, **changes | ({"evaluation.prompts": {"uri": other.as_uri()}} if own else {}))
    trained_on = questions_of(settings, file, EXACT).training
    held_out, train = question_sets(settings, EXACT)
    assert train is not None
    assert (train.file, held_out.file) == (file, other if own else file)
    assert len(train.questions) == 40
    assert {row.text for row in train.questions} < {row.text for row in trained_on}
    assert not {row.text for row in train.questions} & {row.text for row in held_out.questions}
    assert question_sets(settings, EXACT)[1] == train
    assert [row.id for row in train.questions] != [row.id for row in trained_on[:40]]


def test_a_larger_sample_than_there_is_takes_all(tmp_path):
    file = prompts(tmp_path / "train.jsonl", [f"question {n}" for n in range(20)])
    settings = config(tmp_path, **{"task.prompts": {"uri": file.as_uri()}, "evaluation.trainPrompts": 500})
    _, train = question_sets(settings, EXACT)
    assert train is not None
    assert train.questions == questions_of(settings, file, EXACT).training


def test_evaluation_may_bring_its_own_questions(tmp_path):
    train = prompts(tmp_path / "train.jsonl", [f"question {n}" for n in range(20)])
    own = prompts(tmp_path / "heldout.jsonl", [f"other {n}" for n in range(30)])
    settings = config(
        tmp_path,
        **{"task.prompts": {"uri": train.as_uri()}, "evaluation.prompts": {"uri": own.as_uri(), "limit": 10}},
    )
    held_out, _ = question_sets(settings, EXACT)
    assert held_out.file == own
    assert len(held_out.questions) == 10
    assert all(row.text.startswith("other") for row in held_out.questions)
    assert len(questions_of(settings, train, EXACT).training) == 20  # none is left out of training


def test_a_missing_file_is_named_by_its_field(tmp_path):
    settings = config(tmp_path, **{"evaluation.prompts": {"uri": (tmp_path / "none.jsonl").as_uri()}})
    with pytest.raises(BadConfig, match=r"^spec\.evaluation\.prompts\.uri: file://.*none\.jsonl"):
        question_sets(settings, EXACT)


QUESTIONS = [question(1), question(23)]
LIMITS = {"rollout.sampling.maxTokens": 8, "training.reflectionMaxTokens": 6, "training.retryMaxTokens": 4}
"""A question has 2 words, the request to reflect 3, the question put again 3."""


def test_room_covers_a_conversation_in_which_the_model_uses_all_its_tokens():
    needed = room_needed(QUESTIONS, Model(1000, Words()), config(**LIMITS))
    assert needed >= 2 + 8 + 3 + 6 + 3 + 4
    assert needed <= 40


def test_room_is_at_most_the_model_s_context():
    assert room_needed(QUESTIONS, Model(20, Words()), config(**LIMITS)) == 20


def test_a_question_without_room_for_its_answer_is_named():
    with pytest.raises(BadData, match=r"^train\.jsonl:1: the question has 2 tokens") as caught:
        room_needed(QUESTIONS, Model(9, Words()), config(**LIMITS))
    assert caught.value.reason is Reason.INVALID_PROMPTS


@pytest.mark.parametrize("limit", ["training.reflectionMaxTokens", "training.retryMaxTokens"])
def test_limits_that_leave_no_second_try_at_all_are_named_with_the_remedy(limit):
    settings = config(**LIMITS | {limit: 90})
    with pytest.raises(BadConfig) as caught:
        room_needed(QUESTIONS, Model(60, Words()), settings)
    assert caught.value.reason is Reason.INVALID_SPEC
    assert "90" in caught.value.message
    assert caught.value.message.endswith("has 60; lower them")
