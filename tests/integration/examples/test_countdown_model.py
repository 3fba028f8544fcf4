"""The committed model by itself: often wrong, and right often enough after a reflection that there is something to learn."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...support.countdown_model import rates

# What the demo measures (docs/results/demo-seeds.md) and four standard errors of what is sampled here.
FIRST_TRY = (0.28, 0.44)
RETRY = (0.24, 0.40)
NAMED = (0.65, 0.85)


@pytest.mark.slow
def test_first_try_and_retry_succeed_as_often_as_stated(countdown: Path) -> None:
    found = rates(countdown / "model")
    assert FIRST_TRY[0] < found.first_try < FIRST_TRY[1]
    assert RETRY[0] < found.retry < RETRY[1]
    assert NAMED[0] < found.named < NAMED[1]
