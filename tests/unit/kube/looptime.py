"""An event loop whose clock jumps to the next thing that is due: an hour of waiting takes no time, and times are exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing, and moves the clock on by what it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everything waits for something that nothing will bring about")
        self.now += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_no_time(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that only waits for the clock."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
