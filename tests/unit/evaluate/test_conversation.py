"""The conversation of the method, and what follows from where an answer stands in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import TemplatesSettings
from reflection_trainer.conversation import Conversation
from reflection_trainer.seeds import derived_seed

MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "earlier"},
    {"role": "assistant", "content": "fine"},
    {"role": "user", "content": "make 7"},
]


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


def test_everything_before_stays_in_context():
    conversation = Conversation(TemplatesSettings(reflection="why?", retry="once more: {{ question }}"))
    request = conversation.reflection_prompt(MESSAGES, "3 + 3", {})
    assert request == MESSAGES + turns(("assistant", "3 + 3"), ("user", "why?"))
    retry = conversation.retry_prompt(request, "I was hasty", {})
    assert retry == request + turns(("assistant", "I was hasty"), ("user", "once more: make 7"))


def test_templates_see_question_answer_reflection_and_row():
    text = "{{ question }} | {{ answer }} | {{ row.target }}"
    conversation = Conversation(TemplatesSettings(reflection=text, retry=text + " | {{ reflection }}"))
    request = conversation.reflection_prompt(MESSAGES, "3 + 3", {"target": 7})
    assert request[-1]["content"] == "make 7 | 3 + 3 | 7"
    retry = conversation.retry_prompt(request, "I was hasty", {"target": 7})
    assert retry[-1]["content"] == "make 7 | 3 + 3 | 7 | I was hasty"


@given(st.text(), st.text())
def test_the_model_s_words_are_never_templates(answer, reflection):
    conversation = Conversation(TemplatesSettings(reflection="why?", retry="{{ question }}"))
    hostile = "{{ 1 / 0 }}{% for x in range(10**9) %}" + answer
    retry = conversation.retry_prompt(conversation.reflection_prompt(MESSAGES, hostile, {}), reflection, {})
    assert [turn["content"] for turn in retry[-4:]] == [hostile, "why?", reflection, "make 7"]


@given(st.integers(0, 2**31 - 1), st.lists(st.text(max_size=5), max_size=4))
def test_seeds_follow_from_their_purpose_and_fit_a_generator(seed, purpose):
    found = derived_seed(seed, *purpose)
    assert found == derived_seed(seed, *purpose)
    assert 0 <= found < 2**31


def test_seeds_of_other_purposes_are_others():
    purposes = [
        (seed, step, number) for seed in range(5) for step in ("first", "retry") for number in range(200)
    ]
    assert len({derived_seed(*purpose) for purpose in purposes}) == len(purposes)
    # Known once and for all: a change would make every repeated shard another one.
    assert derived_seed(0, "rollout", "q", 1) == 123513339
