"""Who holds a token: what the API server answers, how long it is believed, and how often it is asked."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from reflection_api.contract import PROGRESS_AUDIENCE
from reflection_operator.kube.errors import ApiError
from reflection_operator.progress import tokens
from reflection_operator.progress.tokens import Tokens, TooMany

from ..kube.looptime import in_no_time

POD = {"authentication.kubernetes.io/pod-uid": ["uid-1"]}


class Reviews:
    """An API server that reviews tokens."""

    def __init__(self, **status: Any) -> None:
        self.status = status
        self.asked: list[str] = []

    async def create(self, _kind: Any, namespace: None, body: dict[str, Any]) -> dict[str, Any]:
        assert namespace is None
        assert body["spec"]["audiences"] == [PROGRESS_AUDIENCE]
        self.asked.append(body["spec"]["token"])
        return {"status": self.status}


def good(**changes: Any) -> dict[str, Any]:
    return {"authenticated": True, "audiences": [PROGRESS_AUDIENCE], "user": {"extra": POD}} | changes


@pytest.mark.parametrize(
    ("status", "pod"),
    [
        (good(), "uid-1"),
        ({}, ""),
        (good(authenticated=False), ""),
        (good(audiences=["https://kubernetes.default.svc"]), ""),
        (good(audiences=[]), ""),
        (good(user={"username": "somebody"}), ""),
        (good(user={"extra": {"authentication.kubernetes.io/pod-uid": []}}), ""),
    ],
)
def test_whose_it_is(status: dict[str, Any], pod: str) -> None:
    api: Any = Reviews(**status)
    assert asyncio.run(Tokens(api).pod_of("token", "10.0.0.1")) == pod


def test_an_answer_is_believed_for_a_minute() -> None:
    reviews: Any = Reviews(**good())

    async def ask() -> None:
        found = Tokens(reviews)
        for _ in range(3):
            await found.pod_of("token", "10.0.0.1")
        assert len(reviews.asked) == 1
        await asyncio.sleep(61)
        await found.pod_of("token", "10.0.0.1")
        assert len(reviews.asked) == 2

    in_no_time(ask())


def test_a_flood_of_tokens_does_not_reach_the_api_server() -> None:
    reviews: Any = Reviews(authenticated=False)

    async def flood() -> None:
        found = Tokens(reviews)
        refused = 0
        for number in range(1000):
            try:
                await found.pod_of(f"token {number}", f"10.0.0.{number % 200}")
            except TooMany:
                refused += 1
        asked = len(reviews.asked)
        assert asked < 200
        assert refused == 1000 - asked
        await asyncio.sleep(1)
        await found.pod_of("another", "10.0.0.1")
        assert len(reviews.asked) == asked + 1

    in_no_time(flood())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 3)
    reviews: Any = Reviews(**good())

    async def ask() -> None:
        found = Tokens(reviews)
        for number in (*range(5), 4, 0):
            await found.pod_of(str(number), "10.0.0.1")
        assert reviews.asked == ["0", "1", "2", "3", "4", "0"]

    asyncio.run(ask())


def test_whoever_sends_many_does_not_use_up_what_others_need() -> None:
    reviews: Any = Reviews(**good())

    async def flood() -> None:
        found = Tokens(reviews)
        for number in range(50):
            with suppress(TooMany):
                await found.pod_of(f"token {number}", "10.0.0.1")
        assert len(reviews.asked) == 10
        assert await found.pod_of("mine", "10.0.0.2") == "uid-1"

    in_no_time(flood())


def test_a_busy_server_is_not_asked_before_it_wants_to_be() -> None:
    class Busy(Reviews):
        async def create(self, *what: Any) -> dict[str, Any]:
            await super().create(*what)
            raise ApiError("create", 429, b"{}", {"Retry-After": "3"})

    async def play() -> list[str]:
        api: Any = Busy()
        found = Tokens(api)
        with pytest.raises(ApiError):
            await found.pod_of("a", "peer")
        await asyncio.sleep(2.9)
        with pytest.raises(TooMany):
            await found.pod_of("b", "another peer")
        await asyncio.sleep(0.2)
        with pytest.raises(ApiError):
            await found.pod_of("c", "peer")
        return api.asked

    assert in_no_time(play()) == ["a", "c"]
