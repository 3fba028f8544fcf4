"""The reward: the share of right retries after a reflection that ended, 0 after one that was cut off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.patience import Patience
from reflection_trainer.train.meter import Meter
from reflection_trainer.train.reflect_retry import Failure, Sample
from reflection_trainer.train.reward import RetryReward
from reflection_trainer.verify.configured import HttpOptions
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.remote.access import Access
from reflection_trainer.verify.remote.service import Service
from reflection_trainer.verify.remote.verifier import RemoteVerifier

from ...support.verifier_server import verifier_server

QUESTION = [{"role": "user", "content": "say red"}]
FAILURE = Failure(
    "7/0",
    [*QUESTION, {"role": "assistant", "content": "blue"}, {"role": "user", "content": "reflect"}],
    {"answer": "red"},
)


def sample(text, finished=True):
    return Sample([1], [2], text, finished)


def score(reflections, finished, retries, meter=None, verifier=None):
    """`retries`: the text of the one retry of each reflection, or a list of texts."""
    reward = RetryReward(verifier or make_verifier("exact"), meter or Meter())
    samples = [[sample(text) for text in ([texts] if isinstance(texts, str) else texts)] for texts in retries]
    return reward.score([FAILURE] * len(retries), list(map(sample, reflections, finished)), samples)


@pytest.mark.parametrize(
    ("finished", "retry", "expected"),
    [(True, "red", 1.0), (True, "blue", 0.0), (False, "red", 0.0), (False, "blue", 0.0), (True, "", 0.0)],
)
def test_the_reward(finished, retry, expected):
    assert score(["hm"], [finished], [retry]) == [expected]


def test_a_service_of_ones_own_is_asked():
    with verifier_server() as asked:
        service = Service(Access(asked.url), Patience(1.0))
        own = RemoteVerifier("http", HttpOptions(url=asked.url), service)
        retries = [["all right", "wrong"], ["wrong", "all right"], ["wrong", "so wrong"]]
        assert score([""] * 3, [True] * 3, retries, verifier=own) == [0.5, 0.5, 0.0]
    [request] = asked.requests
    assert {item["completion"] for item in request} == {"all right", "wrong", "so wrong"}
    assert len(request) == 3
    assert request[0]["messages"] == QUESTION
    assert request[0]["row"] == {"answer": "red"}


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=20)), min_size=1))
def test_any_text_gets_a_reward_of_zero_or_one(rows):
    rewards = score([""] * len(rows), [finished for finished, _ in rows], [text for _, text in rows])
    assert len(rewards) == len(rows)
    assert set(rewards) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("finished", "retries", "expected"),
    [
        (True, ["red", "blue", "red", "red"], 0.75),
        (True, ["red"] * 3, 1.0),
        (True, ["blue"] * 3, 0.0),
        (False, ["red", "red"], 0.0),
    ],
)
def test_several_retries_earn_the_share_that_is_right(finished, retries, expected):
    assert score(["hm", "hm"], [finished, True], [retries, ["blue"] * len(retries)]) == [expected, 0.0]


def test_a_leak_counts_once_whichever_retry_shows_it():
    meter = Meter()
    score(["say red now", "look"], [True, True], [["blue", "red", "red"], ["red", "red", "red"]], meter)
    assert meter.finish_step().leaks == 1


def test_reflections_that_give_the_answer_away_are_counted_and_paid_all_the_same():
    meter = Meter()
    assert score(["say red now", "look again"], [True, True], ["red", "red"], meter) == [1.0, 1.0]
    assert meter.finish_step().leaks == 1


class Witness:
    """A verifier that keeps what it was shown."""

    def __init__(self):
        self.items: list[Item] = []

    def verify(self, items):
        self.items += items
        return make_verifier("exact").verify(items)


def test_the_verifier_sees_the_question_and_the_retry_and_nothing_of_the_reflection():
    witness = Witness()
    score(["secret", "secret"], [True, True], ["red", "blue"], verifier=witness)
    assert [item.completion for item in witness.items] == ["red", "blue"]
    assert len({item.id for item in witness.items}) == 2
    shown = Item.model_validate(witness.items[0].to_dict())
    assert [turn.content for turn in shown.messages] == ["say red"]
    assert shown.row == {"answer": "red"}
    assert "secret" not in witness.items[0].to_json()
