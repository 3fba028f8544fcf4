"""Hostile completions are wrong, quickly and in little memory: a million characters well within a second."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier

MILLION = 1_000_000
ROWS = {
    "countdown": {"nums": [3, 4], "target": 12},
    "exact": {"answer": "12"},
    "function_call": {"answers": [{"name": "f", "arguments": {}}]},
    "json_schema": {"schema": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": True}},
    "regex": {"pattern": r"(?:(?:[a1\x00]+)+\s*)+(?:a?){60}a{60}[^a]"},
}
OPTIONS = {"exact": {"ignoreCase": True}, "regex": {"search": True}}
HOSTILE = {
    "open parentheses": "(" * MILLION,
    "ten thousand parentheses": "<answer>" + "(" * 10_000 + "3*4" + ")" * 10_000 + "</answer>",
    "lines that nearly parse": "1+\n" * (MILLION // 3),
    "lines that parse late": "(1+1)*2++1\n" * (MILLION // 11),
    "long lines": ("1+" * 2047 + "\n") * (MILLION // 4095),
    "empty lines": "\n" * MILLION,
    "carriage returns": "\r" * MILLION,
    "one number": "9" * MILLION,
    "one number between tags": "<answer>" + "9" * MILLION + "</answer>",
    "a tower": "<answer>" + "**".join(["9"] * 300_000) + "</answer>",
    "a product": "<answer>" + "*".join(["9"] * 2_000) + "</answer>",
    "open lists, then numbers": "[" * 900 + "1," * 49_000,
    "calls cut off": '{"name": "f", "arguments": {"a": [' * 2_900,
    "an object that closes early": '{"name": "f", "arguments": {}}}' * 3_000
    + '{"name": "g", "arguments": {}}',
    "opening calls": "<tool_call>" * (MILLION // 11),
    "empty calls": "<tool_call></tool_call>" * 4_000,
    "fences": "```\n" * (MILLION // 4),
    "json fences": "```json\n[\n```\n" * (MILLION // 14),
    "backticks": "`" * MILLION,
    "opening tags": "<answer>" * (MILLION // 8),
    "closing tags": "</answer>" * (MILLION // 9),
    "empty pairs": "<answer></answer>" * (MILLION // 17),
    "tags the wrong way round": "</answer><answer>" * (MILLION // 17),
    "nearly tags": "<answer" * (MILLION // 7),
    "blanks": " " * MILLION,
    "equals signs": "=" * MILLION,
    "digits of another script": "\u0663" * MILLION,
    "letters and digits": "a1" * (MILLION // 2),
    "null characters": "\x00" * MILLION,
    "case folding that grows": "\u0390" * MILLION,
}


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
