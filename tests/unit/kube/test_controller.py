"""What becomes of a run whose reconciliation fails."""

from __future__ import annotations

import asyncio

from kubernetes.aio.client import Configuration
from reflection_operator.kube.api import Api
from reflection_operator.kube.controller import Controller
from reflection_operator.kube.errors import NotSent
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.options import Options

from .looptime import in_no_time


def test_a_run_about_which_nothing_could_be_sent_is_looked_at_again() -> None:
    async def play() -> float:
        controller = Controller(
            Api(Configuration(), Metrics()), Metrics(), Options(_cli_parse_args=[]), lambda: None
        )
        controller._failed("uid", NotSent("update: no longer sure to be the leader"))
        assert await controller._queue.get() == "uid"
        return asyncio.get_running_loop().time()

    assert 0 < in_no_time(play()) < 5
