"""Hostile completions are wrong, quickly and in little memory: a million characters well within a second."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier

from ...support.hostile import HOSTILE, MILLION

ROWS = {
    "countdown": {"nums": [3, 4], "target": 12},
    "exact": {"answer": "12"},
    "function_call": {"answers": [{"name": "f", "arguments": {}}]},
    "regex": {"pattern": r"(?:(?:[a1\x00]+)+\s*)+(?:a?){60}a{60}[^a]"},
}
OPTIONS = {"exact": {"ignoreCase": True}, "regex": {"search": True}}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("completion", HOSTILE.values(), ids=HOSTILE)
def test_bounded_and_wrong(name, completion):
    verifier = make_verifier(name, OPTIONS.get(name))
    items = [Item(id="x", completion=completion, row=ROWS[name])]
    started = time.process_time()
    [verdict] = verifier.verify(items)
    assert time.process_time() - started < 1
    assert not verdict.correct
    assert verdict.reason in verifier.reasons


def test_the_largest_row_with_the_largest_fractions_is_quick():
    nums = [10**18 - 1 - 2 * n for n in range(64)]
    answer = " + ".join(f"({a} / {b})" for a, b in zip(nums[::2], nums[1::2], strict=True))
    item = Item(id="x", completion=answer, row={"nums": nums, "target": 32})
    started = time.process_time()
    [verdict] = make_verifier("countdown").verify([item])
    assert time.process_time() - started < 1
    assert verdict.reason == "missed_target"


@pytest.mark.parametrize("name", ROWS)
def test_memory_is_bounded(name):
    verifier = make_verifier(name)
    items = [Item(id=case, completion=text, row=ROWS[name]) for case, text in HOSTILE.items()]
    tracemalloc.start()
    try:
        verifier.verify(items)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MILLION
