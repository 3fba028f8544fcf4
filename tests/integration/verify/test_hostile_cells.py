"""The hostile completions for the verifiers that judge in locked-down children: wrong, soon, and nothing is left behind."""

from __future__ import annotations

import json
import time

import psutil
import pytest
from reflection_api.items import Item
from reflection_trainer.confine.batch import CPU_SECONDS
from reflection_trainer.verify.registry import make_verifier

from ...support.hostile import HOSTILE

ROWS = {
    "code": {"tests": "assert add(1, 2) == 3"},
    "math": {"answer": "-17/23"},
    "reasoning_gym": {"entry": {"answer": "24", "metadata": {"source_dataset": "puzzle24"}}},
    "json_schema": {
        "schema": {
            "anyOf": [
                {"type": "string", "pattern": "^(a+)+$"},
                {"type": "array", "minItems": 1, "items": {"$ref": "#"}, "uniqueItems": True},
            ]
        }
    },
}
SECONDS = 200.0
"""For all of them on a busy machine; each may use a second of a processor, `code` some more."""

DEEP = 10_000
BRACKETS = "(" * DEEP + "1" + ")" * DEEP
ENDLESS = {
    "math": {
        "a tower": "\\boxed{9^{9^{9^{9}}}}",
        "a tower without braces": "9^9^9^9",
        "a tall tower": "\\boxed{" + "9^{" * 500 + "9" + "}" * 500 + "}",
        "a power of a number of many digits": "\\boxed{" + "7" * 900 + "^" + "7" * 900 + "}",
        "a factorial": "\\boxed{(10^{10})!}",
        "factorials": "\\boxed{9" + "!" * 60 + "}",
        "deep fractions": "\\boxed{" + "\\frac{1}{" * 300 + "2" + "}" * 300 + "}",
        "deep roots": "\\boxed{" + "\\sqrt{" * 400 + "2" + "}" * 400 + "}",
        "a large product of sums": "\\boxed{" + "(x+y+z+1)" * 150 + "}",
        "a sum to expand": "\\boxed{(a+b+c+d+e+f)^{200} - (a+b)^{300}}",
        "ten thousand parentheses": f"\\boxed{{{BRACKETS}}}",
        "ten thousand parentheses without a box": f"so it is {BRACKETS}",
        "a large matrix": "\\boxed{\\begin{pmatrix}" + "1&2\\\\" * 2_000 + "\\end{pmatrix}}",
        "a large set": "\\boxed{\\{" + "1,2," * 4_000 + "3\\}}",
        "many boxes": "\\boxed{1}" * 2_000,
        "many boxes that open": "\\boxed{" * 2_500,
        "dollars": "$" * 20_000,
        "formulas that do not close": "\\[ \\( $ " * 2_000,
        "the same phrase": "the final answer is " * 1_000,
        "blanks between words of the phrase": "the final answer is" + " " * 19_900,
        "digits, commas and blanks": "1, 2 ,3 " * 2_500,
        "signs of a number": "+-" * 10_000,
        "a number of a million digits": "1" * 1_000_000 + ".5",
        "percents": "50" + "\\%" * 9_000,
        "equal signs": "x=" * 9_000 + "1",
        "smaller signs": "1<" * 9_000 + "x",
    },
    "json_schema": {
        "a text that the pattern backtracks on": json.dumps("a" * 40 + "!"),
        "many such texts": json.dumps(["a" * 40 + "!"] * 2_000),
        "a long text": json.dumps("a" * 99_000 + "!"),
        "a million characters": json.dumps("a" * 1_000_000),
        "ten thousand lists": "[" * DEEP + "]" * DEEP,
        "ten thousand objects": '{"a":' * DEEP + "1" + "}" * DEEP,
        "lists to the last level, many times": "[" + ",".join(["[" * 31 + "]" * 31] * 1_500) + "]",
        "a number of a million digits": "1" * 1_000_000,
        "no numbers": '["a", NaN, Infinity, -1e999]',
    },
    "reasoning_gym": {
        "a tower": "9**9**9**9",
        "a tower with carets": "9^9^9^9",
        "a factorial": "factorial(10**9)",
        "a factorial by its sign": "(10**10)!",
        "a binomial": "binomial(10**9, 10**8)",
        "a prime": "prime(10**9)",
        "ten thousand parentheses": BRACKETS,
        "ten thousand lists": "[" * DEEP + "]" * DEEP,
        "ten thousand signs": "-" * DEEP + "24",
        "ten thousand calls": "sqrt(" * 3_000 + "24" + ")" * 3_000,
        "a product of sums": "expand(" + "*".join(["(x+y+z+1)"] * 200) + ")",
        "an integral": "integrate(exp(x**2)*sin(x**3)*log(x)/(1+x**7), x)",
        "a simplification": "simplify(" + "+".join(f"sin(x*{n})**{n}" for n in range(1, 60)) + ")",
        "a long sum": "+".join(["24"] * 6_000),
    },
}
"""What the libraries behind them do not come to an end with, or hardly; each may take a second of a processor, and no more."""
OVERHEAD = 0.4
"""Seconds of a processor to fork a child, to lock it down and to look at the clock; ten times what it takes."""
UNEXPECTED = 60.0
"""Seconds by the clock for one of them, on a busy machine."""


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


def used() -> float:
    """Seconds of a processor that children took which are gone; their servers have collected them."""
    times = [server.cpu_times() for server in psutil.Process().children()]
    return sum(time_.children_user + time_.children_system for time_ in times)


def verdict_on(verifier, completion: str, row):
    [verdict] = verifier.verify([Item(id="x", completion=completion, row=row)])
    return verdict


@pytest.mark.parametrize("name", ENDLESS)
def test_each_takes_a_second_at_most(name):
    verifier = make_verifier(name)
    verdict_on(verifier, "1", ROWS[name])  # starts the server
    late, reasons = {}, {}
    for case, text in (HOSTILE | ENDLESS[name]).items():
        before, started = used(), time.monotonic()
        verdict = verdict_on(verifier, text, ROWS[name])
        if (took := used() - before) > CPU_SECONDS + OVERHEAD:
            late[case] = took
        assert time.monotonic() - started < UNEXPECTED, case
        assert not verdict.correct, case
        reasons[case] = verdict.reason
    assert late == {}
    assert CPU_SECONDS == 1
    assert set(reasons.values()) <= set(verifier.reasons)
    assert "too_complex" in {reasons[case] for case in ENDLESS[name]}, "else nothing here needed a limit"


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("math", "a tower"),
        ("math", "a factorial"),
        ("reasoning_gym", "a tower"),
        ("reasoning_gym", "a factorial"),
        ("json_schema", "a text that the pattern backtracks on"),
    ],
)
def test_what_never_ends_is_too_complex_and_what_follows_is_judged_as_ever(name, case):
    verifier = make_verifier(name)
    right = {
        "math": "\\boxed{-\\frac{34}{46}}",
        "reasoning_gym": "2 * 3 * 4 * 1",
        "json_schema": '["a", ["aa"]]',
    }[name]
    texts = [right, ENDLESS[name][case], right]
    items = [Item(id=str(number), completion=text, row=ROWS[name]) for number, text in enumerate(texts)]
    assert [verdict.reason for verdict in verifier.verify(items)] == ["correct", "too_complex", "correct"]
