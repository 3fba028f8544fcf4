"""Listening to kopf's connection, against a real HTTP server; and the lines of the log."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import AttemptRecord, Cursor, ReflectionTrainingStatus
from reflection_operator.kube.kinds import JOBS, PODS, RUNS
from reflection_operator.kube.logs import current_run, set_up
from reflection_operator.kube.measures import Measures
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.watches import Watches

from ..reconcile.builders import T0, after

Play = Callable[[aiohttp.ClientSession, str, Watches, asyncio.Event, list[str]], Any]


def listen(play: Play, clock: Callable[[], float] = time.monotonic, *, places: int = 1) -> None:
    """Play against a server that sends a line each time that it is told to; of two namespaces it has nothing."""

    async def serve() -> None:
        say, end = asyncio.Event(), asyncio.Event()
        relisted: list[str] = []
        watches = Watches(
            (RUNS, JOBS, PODS),
            places,
            Metrics(),
            relisted=lambda: relisted.append("again"),
            recovered=lambda: relisted.append("through"),
            clock=clock,
        )

        async def answer(request: web.Request) -> web.StreamResponse:
            if "/namespaces/closed/" in request.path and not say.is_set():
                return web.Response(status=403)
            if "/namespaces/broken/" in request.path and not say.is_set():
                return web.Response(status=503)
            if request.query.get("watch") != "true":
                return web.json_response({"items": []})
            stream = web.StreamResponse()
            await stream.prepare(request)
            await say.wait()
            await stream.write(b"{}\n")
            await end.wait()
            return stream

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(trace_configs=[watches.trace()]) as session:
                await play(session, url, watches, say, relisted)
        finally:
            say.set()
            end.set()
            await runner.cleanup()

    asyncio.run(serve())


def test_a_kind_that_nobody_watches_yet_was_never_heard_of() -> None:
    async def play(_s: Any, _u: Any, watches: Watches, *_: Any) -> None:
        assert watches.ages() == {"reflectiontrainings": math.inf, "jobs": math.inf, "pods": math.inf}

    listen(play)


def test_a_watch_that_has_not_begun_is_silent_since_it_was_expected() -> None:
    clock = [1000.0]

    async def play(session: aiohttp.ClientSession, url: str, watches: Watches, *_: Any) -> None:
        assert not watches.expected
        watches.expect()
        assert watches.expected
        clock[0] += 30
        async with session.get(f"{url}{JOBS.path('open')}?watch=true"):
            clock[0] += 5
            assert watches.ages() == {"reflectiontrainings": 35, "jobs": 35, "pods": 35}
            async with session.get(f"{url}{JOBS.path('other')}?watch=true"):
                clock[0] += 1
                assert watches.ages() == {"reflectiontrainings": 36, "jobs": 6, "pods": 36}

    listen(play, lambda: clock[0], places=2)


def test_a_watch_is_as_old_as_the_last_that_came() -> None:
    clock = [1000.0]

    async def play(
        session: aiohttp.ClientSession, url: str, watches: Watches, say: asyncio.Event, _: Any
    ) -> None:
        async with session.get(f"{url}{JOBS.path()}?watch=true") as response:
            clock[0] += 50
            assert watches.ages()["jobs"] == 50
            say.set()
            assert await response.content.readline() == b"{}\n"
            assert watches.ages()["jobs"] == 0
            clock[0] += 7
            assert watches.ages()["jobs"] == 7
        assert watches.ages()["pods"] == math.inf

    listen(play, lambda: clock[0])


def test_a_list_of_a_watched_kind_is_noticed() -> None:
    async def play(session: aiohttp.ClientSession, url: str, _w: Any, _s: Any, relisted: list[str]) -> None:
        for path in ("/api/v1/secrets", "/apis/batch/v1", "/apis/other/v1/jobs"):
            await (await session.get(url + path)).read()
        assert relisted == []
        await (await session.get(url + PODS.path("ml"))).read()
        assert relisted == ["again"]

    listen(play)


def test_a_watch_that_gets_through_again_is_told_of_once() -> None:
    async def play(
        session: aiohttp.ClientSession, url: str, _: Watches, say: asyncio.Event, told: list[str]
    ) -> None:
        nobody = "http://127.0.0.1:9"
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{nobody}{JOBS.path('ml')}?watch=true")
        await (await session.get(f"{url}{PODS.path('broken')}?watch=true")).read()
        # What is no watch of ours, and one that never failed.
        await (await session.get(f"{url}/api/v1/secrets")).read()
        say.set()
        for path, words in (
            (RUNS.path("ml"), []),
            (JOBS.path("ml"), ["through"]),
            (PODS.path("broken"), ["through", "through"]),
            (JOBS.path("ml"), ["through", "through"]),
        ):
            async with session.get(f"{url}{path}?watch=true"):
                assert told == words

    listen(play)


def test_a_namespace_that_may_not_be_watched_does_not_count_beside_others() -> None:
    clock = [1000.0]

    async def play(
        session: aiohttp.ClientSession, url: str, watches: Watches, say: asyncio.Event, _: Any
    ) -> None:
        await (await session.get(url + PODS.path("closed"))).read()
        assert watches.ages()["pods"] == math.inf, "nothing at all is watched"
        async with session.get(f"{url}{PODS.path('open')}?watch=true"):
            assert watches.ages()["pods"] < math.inf
            say.set()
            clock[0] += 100
            assert watches.ages()["jobs"] == math.inf
            await (await session.get(url + PODS.path("closed"))).read()
            clock[0] += 3
            async with session.get(f"{url}{PODS.path('open')}?watch=true"):
                assert watches.ages()["pods"] == 3, "it may be watched since then, and is not yet"

    listen(play, lambda: clock[0], places=2)


def test_a_request_that_kopf_repeats_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up("text", "info")
        for attempt in range(3):
            logging.getLogger("kopf.api").error("Request attempt #%d failed: GET /a", attempt)
            logging.getLogger("kopf.api").error("Request attempt #%d failed: GET /b", attempt)
            logging.getLogger("x").error("ours")
    finally:
        root.handlers[:], root.level = handlers, level
    told = [line.split("ERROR   ")[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["Request attempt #0 failed: GET /a", "Request attempt #0 failed: GET /b", *["ours"] * 3]


def test_a_line_names_the_run_in_whose_task_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up("json", "info")
        current_run.set("ml/countdown")
        logging.getLogger("x").info("done\nand more: %d", 3)
        current_run.set("")
        logging.getLogger("x").warning("idle")
        set_up("text", "info")
        current_run.set("ml/countdown")
        logging.getLogger("x").info("taken up")
        current_run.set("")
        logging.getLogger("x").error("broken")
    finally:
        root.handlers[:], root.level = handlers, level
        current_run.set("")
    *lines, of_a_run, last = capsys.readouterr().err.splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["namespace"], first["name"], first["message"], first["level"]) == (
        "ml", "countdown", "done\nand more: 3", "info",
    )  # fmt: skip
    assert "name" not in second
    assert of_a_run.endswith("Z INFO    [ml/countdown] taken up")
    assert last.endswith("Z ERROR   broken")


def test_stages_and_restarts_are_counted_from_the_statuses() -> None:
    metrics = Metrics()
    measures = Measures(metrics)
    at = Cursor(round=1, stage=Stage.TRAIN, attempt=1, started_at=T0)
    old = ReflectionTrainingStatus(current=at)
    record = AttemptRecord(
        round=1, stage=Stage.TRAIN, attempt=1, reason=Reason.TRAINER_CRASHED, finished_at=after(5)
    )
    again = ReflectionTrainingStatus(
        current=at.model_copy(update={"attempt": 2}), restarts=1, attempts=[record]
    )
    measures.changed(None, old, T0)
    measures.changed(old, again, after(5))
    evaluation = Cursor(round=1, stage=Stage.EVALUATE, attempt=1, started_at=after(600))
    later = again.model_copy(update={"current": evaluation})
    measures.changed(again, later, after(600))
    measures.changed(later, later.model_copy(update={"completion_time": after(690)}), after(691))
    text = metrics.text({"Training": 2}, {"jobs": 3.0}).decode()
    assert 'reflect_restarts_total{reason="TrainerCrashed",stage="train"} 1.0' in text
    assert 'reflect_stage_seconds_sum{stage="train"} 600.0' in text
    assert 'reflect_stage_seconds_count{stage="train"} 1.0' in text
    assert 'reflect_stage_seconds_sum{stage="evaluate"} 90.0' in text
    assert 'reflect_trainings{phase="Training"} 2.0' in text
    assert 'reflect_watch_age_seconds{kind="jobs"} 3.0' in text
