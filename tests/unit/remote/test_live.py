"""The screen of `reflect status --watch`, and following a cluster that changes, fails and comes back."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

import pytest
from reflection_api.stages import Stage
from reflection_operator.remote import watching
from reflection_operator.remote.errors import RemoteError, RunGone
from reflection_operator.remote.live import Screen, follow
from reflection_operator.remote.seen import seen, seen_event
from reflection_operator.remote.watching import Look, looks
from rich.console import Console

from ..kube.objects import UID, run
from ..reconcile.builders import after, decided, job, pod, resource, status_of


def running(reward: float | None = None) -> dict[str, Any]:
    """A run whose training is at work."""
    at_work = job(Stage.ROLLOUT)
    status = status_of(decided(resource(), [at_work], [pod(at_work)], at=1)).to_dict()
    if reward is not None:
        status["metrics"] = {"reward": reward}
    return run(status=status)


def ended(succeeded: str) -> dict[str, Any]:
    value = running()
    kinds = {"Succeeded": succeeded, "Ready": succeeded}
    for condition in value["status"]["conditions"]:
        condition["status"] = kinds.get(condition["type"], condition["status"])
    value["status"]["phase"] = "Succeeded" if succeeded == "True" else "Failed"
    return value


def event(number: int, reason: str = "Accepted", message: str = "generation 1 accepted") -> dict[str, Any]:
    metadata = {"uid": f"event-{number}", "resourceVersion": str(number)}
    return {
        "metadata": metadata,
        "lastTimestamp": "2026-08-01T12:00:00Z",
        "reason": reason,
        "message": message,
    }


class Answers:
    """A cluster that gives these answers, one for each look."""

    namespace = "ml"

    def __init__(self, *answers: dict[str, Any] | RemoteError, events: int = 0) -> None:
        self._answers = list(answers)
        self._events = events

    async def run(self, name: str) -> dict[str, Any]:
        assert name == "countdown"
        answer = self._answers.pop(0)
        if isinstance(answer, RemoteError):
            raise answer
        self._events += 1
        return answer

    async def events(self, uid: str) -> list[dict[str, Any]]:
        assert uid == UID
        return [event(number) for number in range(1, self._events + 1)]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_PAUSE_SECONDS", 0)


def all_looks(cluster: Any) -> tuple[list[Look], list[str]]:
    troubles: list[str] = []

    async def collect() -> list[Look]:
        return [look async for look in looks(cluster, "countdown", trouble=troubles.append)]

    return asyncio.run(collect()), troubles


def test_each_event_is_told_once_and_of_the_old_ones_the_last_five() -> None:
    found, _ = all_looks(Answers(running(), running(), ended("True"), events=8))
    assert [[each.uid for each in look.events] for look in found] == [
        [f"event-{number}" for number in range(5, 10)], ["event-10"], ["event-11"],
    ]  # fmt: skip


def test_an_outage_is_told_once_and_lived_through() -> None:
    away = RemoteError("no answer from https://x", away=True)
    found, troubles = all_looks(Answers(running(), away, away, running(), away, ended("False")))
    assert len(found) == 3
    assert troubles == ["no answer from https://x; trying again"] * 2


@pytest.mark.parametrize("trouble", [RemoteError("x", away=True), RunGone("gone")])
def test_at_the_first_look_trouble_is_the_end(trouble: RemoteError) -> None:
    with pytest.raises(RemoteError):
        all_looks(Answers(trouble))


def test_a_run_that_is_gone_is_the_end() -> None:
    with pytest.raises(RunGone):
        all_looks(Answers(running(), RunGone("gone")))


def test_an_outage_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_PATIENCE", 3)
    with pytest.raises(RemoteError, match="no answer"):
        all_looks(Answers(running(), *[RemoteError("no answer", away=True)] * 4))


def text(screen: Screen, width: int = 100) -> list[str]:
    console = Console(
        file=StringIO(), force_terminal=True, color_system=None, width=width, legacy_windows=False
    )
    console.print(screen.render(after(60), width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def look(obj: dict[str, Any], *events: dict[str, Any]) -> Look:
    return Look(seen(obj), [seen_event(each) for each in events])


def test_the_screen_has_all_of_it() -> None:
    screen = Screen()
    assert text(screen) == ["looking ..."]
    for number, reward in enumerate((0.1, 0.2, 0.4)):
        screen.take(look(running(reward), event(number, message=f"event {number} " + "x" * 200)))
    lines = text(screen)
    assert lines[0] == "ml/countdown: Rollout"
    assert lines[1].startswith("rollout ")
    assert [line.split()[2:5] for line in lines[-4:-1]] == [["Accepted", "event", str(n)] for n in range(3)]
    assert lines[-1] == "q quits, l shows the logs"
    assert all(len(line) <= 100 for line in lines)
    screen.complain("no answer; trying again")
    assert text(screen)[-1] == "no answer; trying again"
    screen.take(look(running()))
    assert text(screen)[-1] == "q quits, l shows the logs"


def test_no_more_than_five_events_stay() -> None:
    screen = Screen()
    screen.take(look(running(), *(event(number, message=f"number {number}") for number in range(9))))
    assert [line.split()[-1] for line in text(screen)[-6:-1]] == list("45678")


def test_a_pipe_gets_lines() -> None:
    console = Console(file=StringIO(), force_terminal=False, width=40)
    answers: Any = Answers(running(), running(), ended("False"))

    async def never(_: Any) -> None:
        raise AssertionError("there are no keys")

    final = asyncio.run(follow(answers, "countdown", console, never))
    assert final is not None
    assert final.failed
    lines = console.file.getvalue().splitlines()
    assert [line.split()[-1] for line in lines if "countdown" in line] == ["Rollout", "Failed"]
    assert sum("generation 1 accepted" in line for line in lines) == 3
