"""The measurement of a training step measures: ours and the stock pieces do the same work, and other work is refused."""

from __future__ import annotations

import pytest
import train_step
from transformers.utils.logging import disable_progress_bar

pytestmark = [pytest.mark.training, pytest.mark.slow]


def test_both_kinds_of_round_do_the_same_work_and_are_first_by_turns(tmp_path, monkeypatch):
    disable_progress_bar()
    begun = []
    for kind in ("ours", "stock"):
        real = getattr(train_step, kind)
        monkeypatch.setattr(
            train_step, kind, lambda *args, kind=kind, real=real: begun.append(kind) or real(*args)
        )
    found = train_step.measure(tmp_path, 4, 2, canary=False)
    assert begun == ["ours", "ours", "stock", "stock", "ours"], "the first one is recorded"
    assert [len(found[kind]) for kind in ("ours", "stock")] == [2, 2]
    assert found["canary"] is None
    assert found["parts"].keys() == train_step.PARTS.keys()
    assert all(0 < seconds < found["ours"][0]["wall"] for seconds in found["parts"].values())
    assert 0.2 < found["ours"][0]["cpu"] / found["stock"][0]["cpu"] < 5


@pytest.mark.vllm
def test_the_canary_is_timed(tmp_path):
    disable_progress_bar()
    found = train_step.measure(tmp_path, 4, 0, canary=True)
    canary = found["canary"]
    for timed in (canary, found["canaryWithLora"]):
        assert 0 < timed["check"] < timed["step"]
    assert train_step.with_canary(**canary, own=0) > 1


def test_a_mean_that_meets_the_aim_may_be_unsure():
    mean, high = train_step.cost("step", [0.98, 1.0, 1.04, 1.06])
    assert (mean["value"], mean["meets"]) == (pytest.approx(1.02), True)
    assert (high["value"] > train_step.AIM, high["meets"]) == (True, False)


def test_a_step_with_its_canary_is_set_against_one_without_anything_of_ours():
    assert train_step.with_canary(step=1.0, check=0.2, own=0.3) == 2


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
