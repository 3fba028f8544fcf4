"""The measurement of a training step measures: ours and the stock pieces do the same work, and other work is refused."""

from __future__ import annotations

import pytest
import train_step
from transformers.utils.logging import disable_progress_bar

pytestmark = [pytest.mark.training, pytest.mark.slow]


def test_both_kinds_of_round_do_the_same_work(tmp_path):
    disable_progress_bar()
    found = train_step.measure(tmp_path, 4, 1, canary=False)
    assert [len(found[kind]) for kind in ("ours", "stock", "canary")] == [1, 1, 0]
    assert 0.2 < found["ours"][0]["cpu"] / found["stock"][0]["cpu"] < 5


def test_other_work_is_no_comparison(tmp_path, monkeypatch):
    real = train_step.Recorder.__init__

    def forgetful(recorder, session):
        real(recorder, session)
        recorder.rewards = Inverted()

    class Inverted(list):
        def append(self, rewards):
            super().append([1 - reward for reward in rewards])

    monkeypatch.setattr(train_step.Recorder, "__init__", forgetful)
    with pytest.raises(SystemExit, match="stock: other weights than the recorded run"):
        train_step.measure(tmp_path, 4, 1, canary=False)
