"""An own verifier over real HTTP: what goes well, what is asked again, and what ends the stage with which words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from reflection_api.items import Item, Message
from reflection_trainer.patience import Patience
from reflection_trainer.verify.remote.service import CONCURRENCY

from ...support.verifier_server import Request, free_address, verdict, verifier_server
from .asking import ENDED, failure, items, service, told, verifier


def test_what_is_asked_and_what_comes_back() -> None:
    asked_about = Item(
        id="ü1",
        messages=[Message(role="user", content="say right \u2713")],
        completion="all right",
        row={"answer": "right", "n": 3},
    )
    with verifier_server() as asked:
        [found] = service(f"{asked.url}/").judge([asked_about])
    assert (found.id, found.correct, found.reason) == ("ü1", True, "correct")
    assert asked.requests == [[asked_about.to_dict()]]
    assert asked.headers[0]["content-type"] == "application/json"
    assert "authorization" not in asked.headers[0]


def test_many_items_go_in_batches_some_at_a_time_and_come_back_in_order() -> None:
    together = threading.Barrier(CONCURRENCY)

    def behave(request: Request) -> None:
        if request.number <= CONCURRENCY:
            together.wait(ENDED)  # only where so many are under way at once
        request.answer(200, {"verdicts": [verdict(item) for item in reversed(request.items)]})

    completions = ["right" if n % 3 else "wrong" for n in range(1000)]
    asked_about = [Item(id=str(n), completion=text) for n, text in enumerate(completions)]
    with verifier_server(behave) as asked:
        found = service(asked.url).judge(asked_about)
    assert [one.id for one in found] == [str(n) for n in range(1000)]
    assert [one.correct for one in found] == [text == "right" for text in completions]
    assert asked.most_at_once == CONCURRENCY
    assert max(map(len, asked.requests)) == 64
    assert sum(map(len, asked.requests)) == 1000


def test_long_completions_go_alone() -> None:
    with verifier_server() as asked:
        found = service(asked.url).judge(items(3, "x" * 1_500_000 + "right"))
    assert [one.correct for one in found] == [True] * 3
    assert [len(request) for request in asked.requests] == [1, 1, 1]


def test_equal_answers_are_asked_about_once() -> None:
    same = [
        Item(
            id=str(n), completion="all right", row={"a": n // 2}, messages=[Message(role="user", content="q")]
        )
        for n in range(4)
    ]
    other_question = same[0].model_copy(update={"messages": [Message(role="user", content="r")], "id": "x"})
    with verifier_server() as asked:
        judge = verifier(asked.url)
        assert [one.id for one in judge.verify(same)] == ["0", "1", "2", "3"]
        assert [[item["id"] for item in request] for request in asked.requests] == [["1", "3"]]
        judge.verify(same)
        assert len(asked.requests) == 1
        judge.verify([other_question])  # its row does not hold the question
        judge.judge(same)
        assert [len(request) for request in asked.requests] == [2, 1, 4]


def test_a_service_that_comes_back_costs_nothing_but_time() -> None:
    """Busy, ended in the middle, cut off in the middle: each time it is asked again."""

    def cut_off(request: Request) -> None:
        request.send_response(200)
        request.send_header("content-length", "100")
        request.end_headers()
        request.wfile.write(b'{"verdicts": [')
        request.vanish()

    faults: list[Callable[[Request], None]] = [
        lambda request: request.answer(503, "busy"),
        lambda request: request.answer(502, "<html>bad gateway"),
        lambda request: request.answer(429, "slowly"),
        Request.vanish,
        cut_off,
    ]

    def behave(request: Request) -> None:
        (faults.pop(0) if faults else Request.judge)(request)

    with verifier_server(behave) as asked:
        found = service(asked.url, patience=Patience(20.0)).judge(items(2))
    assert [one.correct for one in found] == [True, True]
    assert len(asked.requests) == 6


def test_it_waits_as_long_as_the_service_asks() -> None:
    def behave(request: Request) -> None:
        if request.number == 1:
            request.answer(503, "starting", retry_after="1")
        else:
            request.judge()

    began = time.monotonic()
    with verifier_server(behave) as asked:
        service(asked.url).judge(items(1))
    assert time.monotonic() - began >= 1


def test_a_batch_that_is_too_large_is_halved() -> None:
    def behave(request: Request) -> None:
        if len(request.items) > 10:
            request.answer(413, "at most ten")
        else:
            request.judge()

    with verifier_server(behave) as asked:
        found = service(asked.url).judge(items(64))
    assert [one.id for one in found] == [f"i{n}" for n in range(64)]


def test_the_item_that_is_refused_is_named() -> None:
    def behave(request: Request) -> None:
        if any(item["id"] == "i37" for item in request.items):
            request.answer(422, "row: no column target\x1b[31m\n<b>")
        else:
            request.judge()

    with verifier_server(behave) as asked:
        found = failure(asked.url, 64)
    assert told(found) == (65, "VerifierUnsound")
    assert found.message == (
        'the verifier refuses item "i37": 422 (row: no column target [31m <b>); a verifier takes every completion: what it '
        "cannot read is wrong"
    )


def hang(request: Request) -> None:
    threading.Event().wait(2)


def trickle(request: Request) -> None:
    """A byte now and then, each soon enough for a time limit of its own."""
    request.send_response(200)
    request.end_headers()
    for _ in range(40):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("behave", [hang, trickle])
def test_a_verifier_that_hangs(behave: Callable[[Request], None]) -> None:
    with verifier_server(behave) as asked:
        found = failure(asked.url, seconds=0.4, patience=Patience(1.0))
        assert len(asked.requests) > 1
    assert told(found) == (75, "DependencyUnavailable")
    assert f"the verifier at {asked.url} gave no answer within 0.4 s, after " in found.message
    assert found.message.endswith(" s; see its log and bring it back")


def test_nobody_there() -> None:
    url = free_address()
    found = failure(url, patience=Patience(0.3))
    assert told(found) == (75, "DependencyUnavailable")
    assert f"spec.task.verifier.http.url: the verifier at {url} did not answer (" in found.message


def ids(change: Callable[[list[dict[str, Any]]], list[Any]]) -> Callable[[Request], None]:
    return lambda request: request.answer(
        200, {"verdicts": change([verdict(item) for item in request.items])}
    )


WRONG: dict[str, tuple[Callable[[Request], None], tuple[int, str], str]] = {
    "answers HTML": (
        lambda request: request.answer(200, "<!DOCTYPE html><h1>Sign in</h1>"),
        (65, "VerifierUnsound"),
        "the answer is HTML; correct the address: a proxy or another service answers there",
    ),
    "answers nothing": (
        lambda request: request.answer(200),
        (65, "VerifierUnsound"),
        "the answer is what is not JSON (nothing)",
    ),
    "answers 204": (
        lambda request: request.answer(204),
        (65, "VerifierUnsound"),
        "its status is 204 (nothing); answer 200 with verdicts",
    ),
    "lies about ids": (
        ids(lambda found: [found[0] | {"id": "other"}, *found[1:]]),
        (65, "VerifierUnsound"),
        'verdict 1 is for "other", which was not asked; give each verdict the id of its item',
    ),
    "leaves items out": (
        ids(lambda found: found[2:]),
        (65, "VerifierUnsound"),
        'there is no verdict for "i0" and 1 others; give one for each item of the request',
    ),
    "judges twice": (
        ids(lambda found: [found[0], *found]),
        (65, "VerifierUnsound"),
        'there are two verdicts for "i0"; give one for each item',
    ),
    "says maybe": (
        ids(lambda found: [found[0] | {"correct": "yes"}, *found[1:]]),
        (65, "VerifierUnsound"),
        'the verdict for "i0" says correct: "yes"; write true or false',
    ),
    "tells stories": (
        ids(lambda found: [found[0] | {"correct": False, "reason": "expected 3, got 5"}, *found[1:]]),
        (65, "VerifierUnsound"),
        'for the reason "expected 3, got 5"; give a word of at most 64 letters',
    ),
    "never ends": (
        lambda request: request.answer(200, b" " * 2_000_000),
        (65, "VerifierUnsound"),
        "it is longer than ",
    ),
    "compresses": (
        lambda request: request.answer(200, b"\x1f\x8b", content_encoding="gzip"),
        (65, "VerifierUnsound"),
        "it is compressed, although none was asked for",
    ),
    "redirects": (
        lambda request: request.answer(307, location="http://169.254.169.254/latest"),
        (78, "InvalidSpec"),
        'http.url: the service redirects to "http://169.254.169.254/latest", and redirects are not followed; '
        "give the final address",
    ),
    "is somewhere else": (
        lambda request: request.answer(404, "no such page"),
        (78, "InvalidSpec"),
        "spec.task.verifier.http.url: there is no POST /v1/verify there: 404 (no such page); correct the address",
    ),
    "wants a token": (
        lambda request: request.answer(401, "who are you"),
        (78, "InvalidSpec"),
        "asks for a token: it answered 401 (who are you); correct the token, or name its Secret",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_verifier_that(fault: str) -> None:
    """None of these is asked again: the same would come back."""
    behave, code, words = WRONG[fault]
    with verifier_server(behave) as asked:
        found = failure(asked.url, 4)
    assert told(found) == code
    assert words in found.message
    assert len(asked.requests) == 1


def test_the_first_wrong_answer_ends_it_all() -> None:
    with verifier_server(lambda request: request.answer(200, "[]")) as asked:
        failure(asked.url, 64 * 200)
        assert len(asked.requests) <= 3 * CONCURRENCY


def test_a_port_that_cannot_be() -> None:
    found = failure("http://127.0.0.1:99999")
    assert told(found) == (78, "InvalidSpec")
    assert "spec.task.verifier.http.url: " in found.message


def test_no_proxy_stands_before_what_runs_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", free_address())
    monkeypatch.setenv("NO_PROXY", "")
    with verifier_server() as asked:
        assert service(asked.url, beside=True).judge(items(1))[0].correct
        assert told(failure(asked.url, patience=Patience(0.2))) == (75, "DependencyUnavailable")
