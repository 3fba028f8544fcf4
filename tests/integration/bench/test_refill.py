"""The measurement of refilling measures: every option goes on from one checkpoint, for a time, and is judged alike."""

from __future__ import annotations

import json
from itertools import islice

import pytest
import refill
from train_step import failures
from transformers.utils.logging import disable_progress_bar

pytestmark = [pytest.mark.training, pytest.mark.slow]

LATE = 2


def test_every_option_resumes_and_is_judged(tmp_path, monkeypatch):
    disable_progress_bar()
    sessions = []

    class Kept(refill.Session):
        def __init__(self, *args):
            super().__init__(*args)
            sessions.append(self)

    monkeypatch.setattr(refill, "Session", Kept)
    for name in ("failures_of", "held_out_failures_of"):
        monkeypatch.setattr(refill, name, lambda _: islice(failures(), 20))
    monkeypatch.setattr(refill, "refuse_early", lambda *_: None)
    found = refill.measure(tmp_path, tmp_path, LATE, 0.1, 1, 1)
    assert 0 < found["base"] < 1
    assert 0 < found["before"] < 1
    assert 0 < found["live"] <= LATE / refill.LAST
    for option in refill.OPTIONS:
        (each,) = found[option]
        assert each["steps"] >= 1
        assert each["seconds"] >= 0.1
        assert each["usefulPerSecond"] > 0
        assert 0 < each["retrySuccess"] < 1
        assert 0 < each["ownRetrySuccess"] < 1

    first, *others = sessions
    assert first.step == LATE
    assert [session._order.config.training.method.dead_groups for session in others] == list(refill.OPTIONS)
    for option, session in zip(refill.OPTIONS, others, strict=True):
        counted = {int(state["step"]) for state in session.trainer.optimizer.state.values()}
        assert counted == {session.step}, "the optimizer is the checkpoint's and not a fresh one"
        assert session.trainer.lr_scheduler.last_epoch == session.step
        assert session._deck.position > first._deck.position
        lines = session._order.metrics.read_text().splitlines()
        steps = [json.loads(line) for line in lines]
        assert [step["step"] for step in steps] == list(range(1, session.step + 1))
        live = sum(round(step["groups"] * (1 - step["deadGroupShare"])) for step in steps[LATE:])
        (each,) = found[option]
        useful = round(each["usefulPerSecond"] * each["seconds"])
        assert useful == live or (option == "refill" and 0 < useful < live), "a live group too many is let go"


def test_options_are_compared_seed_by_seed():
    found = {
        option: [
            {"usefulPerSecond": rate * seed, "retrySuccess": share, "ownRetrySuccess": share / 2}
            for seed in (1, 2)
        ]
        for option, rate, share in (("keep", 2, 0.25), ("drop", 1, 0.5), ("refill", 3, 0.75))
    }
    assert refill.pairs(found) == {
        "useful groups per second against keep": [1.5, 1.5],
        "retry success minus keep's": [0.5, 0.5],
        "retry success minus drop's": [0.25, 0.25],
        "retry success on its own failures minus keep's": [0.25, 0.25],
        "retry success on its own failures minus drop's": [0.125, 0.125],
    }


def test_a_checkpoint_that_has_learned_nothing_is_not_late():
    refill.refuse_early(0.3, 0.31)
    with pytest.raises(SystemExit, match=r"the checkpoint is not late: 0\.300 of its retries are right"):
        refill.refuse_early(0.3, 0.3)
