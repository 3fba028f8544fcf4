"""An event that is refused for a moment is posted once more, and never holds a run up for long."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from reflection_api.resource import Metadata
from reflection_operator.kube.api import Api
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.events import Events
from reflection_operator.reconcile.decision import EventRecord

from .looptime import in_no_time
from .test_api import error


class Answers:
    """Says these things to one request after the other."""

    def __init__(self, *answers: ApiError | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def create(self, *_: Any) -> None:
        self.asked += 1
        if refusal := self._answers.pop(0):
            raise refusal


BUSY = error(429, {"reason": "TooManyRequests"}, **{"Retry-After": "2"})
LONG = error(503, {}, **{"Retry-After": "60"})


@pytest.mark.parametrize(
    ("answers", "asked", "seconds"),
    [
        ([None], 1, 0.0),
        ([BUSY, None], 2, 2.0),
        ([error(500, {}), None], 2, 0.2),
        ([BUSY, BUSY], 2, 2.0),
        ([LONG], 1, 0.0),
        ([error(403, {"reason": "Forbidden"})], 1, 0.0),
        ([error(409, {"reason": "AlreadyExists"})], 1, 0.0),
    ],
    ids=["taken", "busy", "in trouble", "busy for good", "for long", "not allowed", "posted before"],
)
def test_what_is_refused(answers: list[ApiError | None], asked: int, seconds: float) -> None:
    api = Answers(*answers)

    async def play() -> float:
        event = EventRecord("Normal", "Accepted", "generation 1")
        run = Metadata(name="countdown", namespace="ml", uid="1a2b")
        await Events(cast(Api, api), "pod-1").post(run, event, 7)
        return asyncio.get_running_loop().time()

    assert in_no_time(play()) == pytest.approx(seconds)
    assert api.asked == asked
