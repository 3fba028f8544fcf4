"""`reflect verify-conformance`: the example passes, and for every check there is a verifier that fails it and no other."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.remote.access import Access
from reflection_trainer.verify.remote.checks import CHECKS, Given
from reflection_trainer.verify.remote.conformance import conformance, main

from ...support.own_verifier import EXAMPLE, own_verifier
from ...support.shell import REFLECT
from ...support.verifier_server import Request, free_address, verdict, verifier_server

GIVEN = Given(
    [Item(id="a", completion="all right"), Item(id="b", completion="all wrong")], {"a": True, "b": False}
)
CHANCE = itertools.count()

Change = Callable[[list[dict[str, Any]], list[dict[str, Any]]], list[dict[str, Any]]]


def answering(change: Change) -> Callable[[Request], None]:
    """A verifier whose verdicts are changed on their way; malformed requests are refused as they should be."""

    def behave(request: Request) -> None:
        if not all(isinstance(item.get("completion"), str) for item in request.items):
            request.answer(400)
            return
        verdicts = [verdict(item) for item in request.items]
        request.answer(200, {"verdicts": change(request.items, verdicts)})

    return behave


def turned(found: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    one = found[number] | {"correct": not found[number]["correct"], "reason": "turned"}
    return [*found[:number], one, *found[number + 1 :]]


def flaky(_items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return turned(found, 0) if found and next(CHANCE) == 4 else found


def sees_neighbours(items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return turned(found, 0) if items and items[0]["id"] == "b" and len(items) == 2 else found


def generous(items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        one | {"correct": True} if not item["completion"].strip() else one
        for item, one in zip(items, found, strict=True)
    ]


def strips_ids(_items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"id": one["id"].strip()} for one in found]


def by_completion(items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Loses items whose completion it has seen in this request, unless there are many."""
    if len(items) != 2 or not items[0]["id"].startswith("twin"):
        return found
    return found[:1]


def mixes_requests_up(items: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return turned(found, 3) if items and items[0]["id"].startswith("crowd-3") else found


def small(request: Request) -> None:
    if len(request.items) > 32:
        request.answer(413, "at most 32")
    else:
        answering(lambda _, found: found)(request)


def obliging(request: Request) -> None:
    for item in request.items:
        item["completion"] = str(item.get("completion", ""))
    request.judge()


def outcomes(url: str, given: Given = GIVEN, **access: Any) -> dict[str, str]:
    """What failed, with what was seen."""
    found = asyncio.run(conformance(Access(url, field="", **access), given))
    assert [one.check for one in found] == [check.name for check in CHECKS]
    assert all(one.remedy for one in found if not one.passed)
    return {one.check: one.seen for one in found if not one.passed}


BROKEN: dict[str, tuple[Callable[[Request], None], str]] = {
    "says the same again": (answering(flaky), "item 'a': first right, then wrong (turned)"),
    "looks at each item alone": (
        answering(sees_neighbours),
        "item 'b': first wrong (wrong_word), then right",
    ),
    "takes any id": (answering(strips_ids), "there are two verdicts for"),
    "takes equal items": (answering(by_completion), 'there is no verdict for "twin-1"'),
    "takes full and empty requests": (small, "it answered 413 (at most 32)"),
    "takes many requests at once": (answering(mixes_requests_up), "item 'alone-3': first "),
    "bears hostile completions": (answering(generous), "a completion of empty counts as right"),
    "refuses malformed requests": (obliging, "a body with an item without a completion was answered 200"),
}


def test_the_example_conforms() -> None:
    with own_verifier() as url:
        done = subprocess.run(
            [*REFLECT, "verify-conformance", url, "--items", EXAMPLE / "items.jsonl", "-o", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    answer = json.loads(done.stdout)
    assert answer["passed"] is True
    assert len(answer["checks"]) == len(CHECKS)
    assert done.stderr == ""


@pytest.mark.parametrize("check", BROKEN)
def test_a_verifier_that_fails_at(check: str) -> None:
    behave, seen = BROKEN[check]
    with verifier_server(behave) as asked:
        failed = outcomes(asked.url)
    assert seen in failed[check]
    others = {"takes many requests at once"} if check == "takes full and empty requests" else set()
    assert failed.keys() - others == {check}


def test_verdicts_that_are_not_the_expected() -> None:
    with verifier_server(answering(lambda _, found: found)) as asked:
        failed = outcomes(asked.url, GIVEN._replace(expected={"b": True}))
    assert failed == {"judges as expected": "item 'b' is wrong (wrong_word)"}


def test_a_verifier_that_is_ill_or_hangs() -> None:
    def hang(request: Request) -> None:
        time.sleep(1)

    with verifier_server(hang, healthy=False) as asked:
        failed = outcomes(asked.url, seconds=0.1)
    assert failed["answers GET /healthz"] == "GET /healthz answered 503: "
    assert failed["judges every item"] == "it gave no answer within 0.1 s"
    assert set(failed) == {check.name for check in CHECKS}


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items, verdicts = tmp_path / "items.jsonl", tmp_path / "verdicts.jsonl"

    def conform(*arguments: str | Path) -> tuple[int, str]:
        code = main([*map(str, arguments), "--items", str(items)])
        out, err = capsys.readouterr()
        return code, out + err

    url = free_address()
    items.write_text("\n")
    words = f"error: line 1: {items} has no items; give some of each kind, right and wrong\n"
    assert conform(url) == (65, words)
    items.write_text('{"id": "a", "completion": "x"}\n')
    verdicts.write_text('{"id": "b", "correct": true, "reason": "correct"}\n')
    words = f'error: line 1: {verdicts}: there is no item "b"; correct the id\n'
    assert conform(url, "--verdicts", verdicts) == (65, words)
    words = "error: the address: ftp://here: write http://host:port or https://host\n"
    assert conform("ftp://here") == (78, words)
    code, words = conform(url)
    assert code == 1
    assert words.splitlines()[0] == "FAILED  answers GET /healthz"
    assert words.splitlines()[-1] == f"{len(CHECKS)} checks, {len(CHECKS)} failed"
