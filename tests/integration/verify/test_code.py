"""The verifier code: right programs pass, and wrong ones fail with their class."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_api.verifiers import InvalidVerifier
from reflection_trainer.confine.plain import decode, encode
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

VERIFIER = make_verifier("code", {"cpuSeconds": 1})
ADD = "assert add(1, 2) == 3\nassert add('a', 'b') == 'ab'"


def reason(program: str, tests: object = ADD, **more: object) -> str:
    item = Item(id="x", completion=program, row={"tests": tests, **more})
    VERIFIER.check_row(item.row)
    [verdict] = VERIFIER.verify([item])
    assert verdict.correct == (verdict.reason == "correct")
    assert verdict.reason in VERIFIER.reasons
    return verdict.reason


@pytest.mark.parametrize(
    ("program", "tests", "more"),
    [
        ("def add(a, b): return a + b", ADD, {}),
        ("So:\n```python\ndef add(a, b): return a + b\n```\nDone.", ADD, {}),
        ("```\ndef add(a, b): return 0\n```\n```py\nadd = lambda a, b: a + b\n```", ADD, {}),
        ("def add(a, b): return a + b", ADD.splitlines(), {}),
        (
            "def add(a, b): return a + b",
            "def check(candidate):\n    assert candidate(1, 2) == 3",
            {"entry_point": "add"},
        ),
        ("def f(x): x.sort(); x.append(9)", "xs = [3, 1]\nf(xs)\nassert xs == [1, 3, 9]", {}),
        (
            "def f(d, s): d['b'] = 2; s.clear()",
            "d, s = {'a': 1}, {1}\nf(d, s)\nassert (d, s) == ({'a': 1, 'b': 2}, set())",
            {},
        ),
        ("def f():\n    yield 1\n    yield 2", "assert list(f()) == [1, 2]", {}),
        (
            "import itertools\ndef f(): return itertools.count()",
            "it = iter(f())\nassert [next(it) for _ in range(3)] == [0, 1, 2]",
            {},
        ),
        (
            "class Stack:\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)\n"
            "    def pop(self): return self.items.pop()\n    def __len__(self): return len(self.items)",
            "s = Stack()\ns.push(1)\ns.push((2, 'x'))\nassert len(s) == 2 and s.pop() == (2, 'x') and s.items == [1]",
            {},
        ),
        (
            "class Node:\n    def __init__(self, x): self.x, self.next = x, None\n"
            "def total(n): return 0 if n is None else n.x + total(n.next)",
            "a, b = Node(1), Node(2)\na.next = b\nassert total(a) == 3",
            {},
        ),
        (
            "def f(x):\n    if x < 0: raise ValueError('no')",
            "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass",
            {},
        ),
        (
            "class Odd(Exception): pass\ndef f(): raise Odd",
            "try:\n    f()\nexcept Exception:\n    done = True\nassert done",
            {},
        ),
        (
            "from collections import Counter\ndef f(s): return Counter(s)",
            "assert f('aab') == {'a': 2, 'b': 1}",
            {},
        ),
        (
            "def f(n):\n    return 1 if n < 2 else n * f(n - 1)",
            "import math\nassert f(200) == math.factorial(200)",
            {},
        ),
        ("import math\ndef area(r): return math.pi * r * r", "assert abs(area(1) - 3.14159) < 1e-4", {}),
        ("def f(x, *, y=1): return x + y", "assert f(1) == 2 and f(1, y=5) == 6", {}),
        ("def f(x): return x", "x = float('nan')\nassert f(x) != f(x) and f(float('inf')) > 1e308", {}),
    ],
)
def test_right(program, tests, more):
    assert reason(program, tests, **more) == "correct"


@pytest.mark.parametrize(
    ("program", "tests", "expected"),
    [
        ("", ADD, "no_code"),
        ("def add(a, b): return a + b\n```python\n \n```", ADD, "no_code"),
        ("x" * 100_001, ADD, "too_long"),
        ("def add(a, b) return a + b", ADD, "syntax_error"),
        ("Here is the function: def add(a, b): return a + b", ADD, "syntax_error"),
        ("def add(a, b): return a + b\x00", ADD, "syntax_error"),
        ("def plus(a, b): return a + b", ADD, "missing_name"),
        ("def add(a, b): return a - b", "assert add('a', 'b') == 'ab'", "runtime_error"),
        ("def add(a, b): return a * b", "assert add(1, 2) == 3", "wrong_answer"),
        ("def add(a, b): return None", ADD, "wrong_answer"),
        ("def add(a): return a", ADD, "runtime_error"),
        ("1 / 0", ADD, "runtime_error"),
        ("raise SystemExit(0)", ADD, "runtime_error"),
        ("import numpy", ADD, "runtime_error"),
        ("def add(a, b): return add(a, b)", ADD, "runtime_error"),
        ("def f(x): return x", "assert f(1) == 1\nassert f(2) == 3", "wrong_answer"),
        ("def f(x): return 3.0 * x", "assert f(1) == 3 and isinstance(f(1), int)", "wrong_answer"),
        ("while True: pass", ADD, "timeout"),
        ("def add(a, b):\n    while True: pass", ADD, "timeout"),
        ("x = 'x' * 10 ** 10", ADD, "out_of_memory"),
        ("x = 9 ** 9 ** 9", ADD, "timeout"),
    ],
)
def test_wrong(program, tests, expected):
    assert reason(program, tests) == expected


def test_a_program_that_would_have_to_lie_is_only_judged_by_what_it_returns():
    """The other way round: a right program that also tries something is still right."""
    assert (
        reason(
            "import builtins\nbuiltins.sum = None\ndef f(x): return x",
            "assert f([1]) == [1] and sum(f([1, 2])) == 3",
        )
        == "correct"
    )
    assert reason("abs = lambda x: 0\ndef f(x): return 5.0", "assert abs(f(1) - 1.0) < 0.1") == "wrong_answer"
    assert (
        reason("import math\nmath.pi = 3\ndef f(): return 3", "import math\nassert f() == math.pi")
        == "wrong_answer"
    )


def test_programs_do_not_see_each_other():
    spoil = "import builtins, math\nbuiltins.sum = math.sqrt = None\ndef f(x): return sum(x)"
    items = [
        Item(
            id=str(n),
            completion="def f(x): return sum(x)" if n % 2 else spoil,
            row={"tests": "assert f([1, 2]) == 3"},
        )
        for n in range(20)
    ]
    assert [verdict.correct for verdict in VERIFIER.verify(items)] == [bool(n % 2) for n in range(20)]


def test_memory_is_what_the_option_says():
    program = "x = bytearray(200 * 1024 ** 2)\ndef add(a, b): return a + b"
    row = {"tests": ADD}
    verdicts = [
        make_verifier("code", {"memoryMegabytes": size})
        .verify([Item(id="x", completion=program, row=row)])[0]
        .reason
        for size in (64, 512)
    ]
    assert verdicts == ["out_of_memory", "correct"]


def test_time_is_what_the_option_says():
    program = "import time\ndef add(a, b):\n    while time.process_time() < 1.5: pass\n    return a + b"  # both tests share it
    verdicts = [
        make_verifier("code", {"cpuSeconds": seconds})
        .verify([Item(id="x", completion=program, row={"tests": ADD})])[0]
        .reason
        for seconds in (1, 10)
    ]
    assert verdicts == ["timeout", "correct"]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=5)
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


INFINITY = "inf = float('inf')\ninfj = complex(0, inf)\n"
"""What repr calls it."""


def no_handle(value: object) -> int:
    raise AssertionError(value)


@given(PLAIN)
def test_plain_data_cross_unchanged(value):
    there = decode(encode(value, no_handle), no_handle)
    assert repr(there) == repr(value)


@settings(max_examples=20)
@given(PLAIN, PLAIN)
def test_what_a_program_returns_is_what_the_tests_compare(value, other):
    expected = "correct" if value == other else "wrong_answer"
    program, tests = f"{INFINITY}def f(): return {value!r}", f"{INFINITY}assert f() == {other!r}"
    assert reason(program, tests) == expected
    assert reason("def f(x): return x", f"{INFINITY}assert f({value!r}) == {value!r}") == "correct"


CORRUPTIONS = {
    "wrong_answer": lambda program: f"{program}; f = lambda x, g=f: [g(x)]",
    "missing_name": lambda program: program.replace("f =", "g =", 1),
    "runtime_error": lambda program: f"{program}; 1 / 0",
    "syntax_error": lambda program: f"{program}; f = (",
    "no_code": lambda program: f"```python\n```\n{program}",
}


@settings(max_examples=20)
@given(
    st.integers(-99, 99),
    st.integers(-99, 99),
    st.lists(st.integers(-99, 99), min_size=1, max_size=3),
    st.sampled_from(list(CORRUPTIONS)),
)
def test_a_right_program_passes_and_every_corruption_fails_with_its_class(slope, constant, points, kind):
    program = f"f = lambda x: {slope} * x + {constant}"
    tests = [f"assert f({x}) == {slope * x + constant}" for x in points]
    assert reason(program, tests) == "correct"
    assert reason(CORRUPTIONS[kind](program), tests) == kind


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ({}, "tests", 'row has no "tests", which the code verifier needs (columns found: none)'),
        ({"tests": 7}, "tests", "tests is an integer: 7"),
        ({"tests": ["assert 1", 2]}, "tests", "tests is a list"),
        ({"tests": ""}, "tests", "tests has 0 characters"),
        ({"tests": "#" * 100_001}, "tests", "tests has 100,001 characters"),
        ({"tests": "assert f(1) = 2"}, "tests", "tests are not Python: "),
        ({"tests": "assert f(\x00)"}, "tests", "tests are not Python: "),
        ({"tests": "assert f()", "entry_point": 7}, "entry_point", "entry_point is an integer: 7"),
        ({"tests": "assert f()", "entry_point": "f"}, "tests", "tests do not define check(candidate)"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, column, problem):
    with pytest.raises(RowError) as error:
        VERIFIER.check_row(row)
    assert error.value.column == column
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


def test_tests_that_hand_over_more_than_data_are_the_rows_mistake():
    with pytest.raises(RowError, match="the tests hand the answer function, which is no plain data"):
        reason("def f(g): return g(1)", "assert f(lambda x: x) == 1")


def test_the_option_stands_in_for_rows_without_tests():
    verifier = make_verifier("code", {"tests": ADD})
    items = [
        Item(id=str(n), completion="def add(a, b): return a + b", row=row)
        for n, row in enumerate([{}, {"tests": "assert add(1, 1) == 3"}])
    ]
    assert [verdict.correct for verdict in verifier.verify(items)] == [True, False]
    with pytest.raises(InvalidVerifier, match=r"options.tests: tests are not Python"):
        make_verifier("code", {"tests": "assert ="})
    with pytest.raises(InvalidVerifier, match=r"options.cpuSeconds: 61 should be less than or equal to 60"):
        make_verifier("code", {"cpuSeconds": 61})
