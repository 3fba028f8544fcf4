"""The measurement of refilling measures: every option trains on from one policy, for a time, and is judged alike."""

from __future__ import annotations

import pytest
import refill
from transformers.utils.logging import disable_progress_bar

pytestmark = [pytest.mark.training, pytest.mark.slow]


def test_every_option_is_trained_and_judged(tmp_path, monkeypatch):
    disable_progress_bar()
    monkeypatch.setattr(refill, "failures", lambda *args: list(refill_failures(*args))[:20])
    found = refill.measure(tmp_path, 1, 0.1, 1, 1)
    assert 0 < found["before"] < 1
    for option in refill.OPTIONS:
        (each,) = found[option]
        assert each["steps"] >= 1
        assert each["seconds"] >= 0.1
        assert each["usefulPerSecond"] > 0
        assert 0 < each["retrySuccess"] < 1


refill_failures = refill.failures
