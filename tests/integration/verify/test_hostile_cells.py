"""The hostile completions for the verifiers that judge in locked-down children: wrong, soon, and nothing is left behind."""

from __future__ import annotations

import time

import psutil
import pytest
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier

from ...support.hostile import HOSTILE

ROWS = {
    "code": {"tests": "assert add(1, 2) == 3"},
    "math": {"answer": "-17/23"},
    "reasoning_gym": {"entry": {"answer": "24", "metadata": {"source_dataset": "puzzle24"}}},
    "json_schema": {"schema": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": True}},
}
SECONDS = 200.0
"""For all of them on a busy machine; each may use one or two seconds of a processor."""


@pytest.mark.parametrize("name", ROWS)
def test_bounded_and_wrong(name):
    verifier = make_verifier(name)
    items = [Item(id=case, completion=text, row=ROWS[name]) for case, text in HOSTILE.items()]
    started = time.monotonic()
    verdicts = verifier.verify(items)
    assert time.monotonic() - started < SECONDS
    assert [verdict.id for verdict in verdicts if verdict.correct] == []
    assert {verdict.reason for verdict in verdicts} <= set(verifier.reasons)
    for server in psutil.Process().children():
        assert server.children() == [], "every child ended with its verdict"
