"""Reading what a service answers: right answers in any order come through, whatever else comes is named."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_api.verifier_service import MAX_ITEMS, openapi
from reflection_trainer.verify.remote.request import encoded
from reflection_trainer.verify.remote.service import batches
from reflection_trainer.verify.remote.verdicts import WrongAnswer, excerpt, read_verdicts

IDS = st.lists(st.text(max_size=8), unique=True, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={"id": st.sampled_from(["a", "b", "c"]) | JSON, "correct": st.booleans() | JSON, "reason": JSON},
)
TWO = [Item(id=name, completion="") for name in "ab"]


def body(*verdicts: Any) -> bytes:
    return json.dumps({"verdicts": verdicts}).encode()


@given(IDS, st.randoms(use_true_random=False), st.booleans())
def test_verdicts_come_back_in_the_order_of_the_items(
    ids: list[str], chance: random.Random, more: bool
) -> None:
    items = [Item(id=name, completion="") for name in ids]
    verdicts = [{"id": name, "correct": len(name) % 2 == 0, "reason": "odd", "score": 0.3} for name in ids]
    chance.shuffle(verdicts)
    extra = {"version": 2} if more else {}
    found = read_verdicts(json.dumps({"verdicts": verdicts, **extra}).encode(), items)
    assert [one.id for one in found] == ids
    assert [one.reason for one in found] == ["odd" if len(name) % 2 else "correct" for name in ids]


ANSWERS = st.one_of(
    st.lists(NEARLY | JSON, max_size=4).map(lambda found: body(*found)),
    JSON.map(lambda found: json.dumps(found).encode()),
    st.binary(),
)


@given(ANSWERS)
def test_anything_is_read_or_refused_in_one_line(answer: bytes) -> None:
    refusal, found = "", []
    try:
        found = read_verdicts(answer, TWO)
    except WrongAnswer as wrong:
        refusal = str(wrong)
    assert refusal.isprintable()
    assert len(refusal) < 400
    assert refusal or [one.id for one in found] == ["a", "b"]
    assert all(one.correct == (one.reason == "correct") for one in found)


def test_a_body_without_an_end() -> None:
    with pytest.raises(WrongAnswer):
        read_verdicts(b"[" * 1_000_000, TWO)


@given(st.binary())
def test_an_excerpt_is_harmless(answer: bytes) -> None:
    assert excerpt(answer).isascii()
    assert excerpt(answer).isprintable()
    assert len(excerpt(answer)) <= 120


@given(st.lists(st.integers(0, 700_000), max_size=200))
def test_batches_are_bounded_and_lose_nothing(sizes: list[int]) -> None:
    items = [
        Item.model_construct(id=str(number), completion=range(size)) for number, size in enumerate(sizes)
    ]
    found = list(batches(items))
    assert [item.id for batch in found for item in batch] == [item.id for item in items]
    for batch in found:
        assert 0 < len(batch) <= MAX_ITEMS
        assert len(batch) == 1 or sum(len(item.completion) for item in batch) <= 1_000_000


@given(st.text(st.characters()), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_a_request_carries_any_text_unchanged(completion: str, row: dict[str, Any]) -> None:
    item = Item.model_construct(id="a", messages=[], completion=completion + "\ud800", row=row)
    sent = encoded([item])
    assert sent.isascii()
    assert json.loads(sent)["items"][0]["completion"] == completion + "\ud800"


def test_the_openapi_file_has_the_fields_of_our_types() -> None:
    schemas = openapi()["components"]["schemas"]
    assert set(schemas["Item"]["properties"]) == set(Item.model_fields)
    assert set(schemas["Verdict"]["required"]) == {"id", "correct", "reason"}
