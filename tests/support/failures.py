"""How a piece of a stage's work failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reflection_trainer.errors import StageFailure


def failure_of(work: Callable[[], object]) -> StageFailure:
    """The failure that the work ends in."""
    with pytest.raises(StageFailure) as caught:
        work()
    return caught.value
