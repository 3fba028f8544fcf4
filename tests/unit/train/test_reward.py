"""The reward: 1 for a right retry after a reflection that ended, 0 for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.train.meter import Meter
from reflection_trainer.train.reflect_retry import Failure
from reflection_trainer.train.reward import RetryReward
from reflection_trainer.verify.registry import make_verifier

QUESTION = [{"role": "user", "content": "say red"}]
FAILURE = Failure(
    "7/0",
    [*QUESTION, {"role": "assistant", "content": "blue"}, {"role": "user", "content": "reflect"}],
    {"answer": "red"},
)


def score(reflections, finished, retries, meter=None, verifier=None):
    reward = RetryReward(verifier or make_verifier("exact"), meter or Meter())
    return reward.score([FAILURE] * len(retries), reflections, finished, retries)


@pytest.mark.parametrize(
    ("finished", "retry", "expected"),
    [(True, "red", 1.0), (True, "blue", 0.0), (False, "red", 0.0), (False, "blue", 0.0), (True, "", 0.0)],
)
def test_the_reward(finished, retry, expected):
    assert score(["hm"], [finished], [retry]) == [expected]


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=20)), min_size=1))
def test_any_text_gets_a_reward_of_zero_or_one(rows):
    rewards = score([""] * len(rows), [finished for finished, _ in rows], [text for _, text in rows])
    assert len(rewards) == len(rows)
    assert set(rewards) <= {0.0, 1.0}


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
