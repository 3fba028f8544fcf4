"""The verifier math: right by construction passes, corruptions fail, and an answer that would run code does nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.verify import sympy_guard
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

VERIFIER = make_verifier("math")


def reasons(*pairs: tuple[str, object]) -> list[str]:
    items = [
        Item(id=str(n), completion=text, row={"answer": answer}) for n, (text, answer) in enumerate(pairs)
    ]
    for item in items:
        VERIFIER.check_row(item.row)
    verdicts = VERIFIER.verify(items)
    assert all(verdict.correct == (verdict.reason == "correct") for verdict in verdicts)
    return [verdict.reason for verdict in verdicts]


CASES = [
    ("\\boxed{0.5}", "1/2", "correct"),
    ("The answer is 1/2", "\\frac{1}{2}", "correct"),
    ("\\boxed{1,234}", "1234", "correct"),
    ("$x = 3$", "3", "correct"),
    ("\\boxed{(x+1)^2}", "x^2+2x+1", "correct"),
    ("\\boxed{\\{2,1\\}}", "\\{1,2\\}", "correct"),
    ("\\boxed{50\\%}", "0.5", "correct"),
    ("\\boxed{\\text{Monday}}", "\\text{Monday}", "correct"),
    ("I tried 5. <answer>3</answer> 7", "3", "correct"),
    ("<answer>\\boxed{3}</answer>", 3, "correct"),
    ("\\boxed{0.25}", 0.25, "correct"),
    ("$3$ or rather \\boxed{4}", "4", "correct"),
    ("\\boxed{3} \\boxed{3}", "\\boxed{3}", "correct"),
    ("\\boxed{1} or \\boxed{3}", "3", "wrong_answer"),
    ("\\boxed{3, 4}", "3", "wrong_answer"),
    ("\\boxed{-3}", "3", "wrong_answer"),
    ("\\boxed{3.1}", "3", "wrong_answer"),
    ("\\boxed{1.4142}", "\\sqrt{2}", "wrong_answer"),
    ("\\boxed{[1, 2]}", "(1, 2)", "wrong_answer"),
    ("<answer>4</answer> is wrong, it is \\boxed{3}", "3", "wrong_answer"),
    ("", "3", "no_answer"),
    ("I do not know.", "3", "no_answer"),
    ("\\boxed{}", "3", "no_answer"),
    ("\\boxed{3", "3", "no_answer"),
    ("\uff13", "3", "no_answer"),
    ("\u0663", "3", "no_answer"),
    ("\\boxed{3}" + " " * 20_000, "3", "no_answer"),
    ("x" * 100_000 + " \\boxed{3}", "3", "correct"),
]


def test_verdicts():
    assert reasons(*((text, answer) for text, answer, _ in CASES)) == [expected for _, _, expected in CASES]


NUMBERS = st.fractions(min_value=-1000, max_value=1000, max_denominator=40)


def forms(value: Fraction) -> list[str]:
    sign, top, bottom = "-" if value < 0 else "", abs(value.numerator), value.denominator
    if bottom == 1:
        return [f"{sign}{top}", f"{sign}{top}.0", f"{sign}\\frac{{{2 * top}}}{{2}}"]
    written = [
        f"{sign}{top}/{bottom}",
        f"{sign}\\frac{{{top}}}{{{bottom}}}",
        f"{sign}\\frac{{{3 * top}}}{{{3 * bottom}}}",
    ]
    return [*written, str(float(value))] if 1000 % bottom == 0 else written


@settings(max_examples=40)
@given(NUMBERS, NUMBERS)
def test_right_by_construction_passes_and_another_number_fails(value, other):
    frames = ["\\boxed{{{}}}", "So the answer is ${}$.", "We get\n\\[ {} \\]", "<answer>{}</answer>"]
    pairs = [
        (frame.format(form), wanted) for frame in frames for form in forms(value) for wanted in forms(value)
    ]
    assert set(reasons(*pairs)) == {"correct"}
    if other != value:
        assert set(reasons(*((frame.format(forms(other)[0]), forms(value)[0]) for frame in frames))) == {
            "wrong_answer"
        }


@settings(max_examples=20)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=4))
def test_polynomials_are_compared_as_polynomials(roots):
    factored = "".join(f"(x{-root:+d})" for root in roots)
    shifted = "".join(f"(x{-root:+d})" for root in [*roots[:-1], roots[-1] + 1])
    mirrored = "".join(f"(x{-root:+d})" for root in reversed(roots))
    assert reasons((f"\\boxed{{{mirrored}}}", factored), (f"\\boxed{{{shifted}}}", factored)) == [
        "correct",
        "wrong_answer",
    ]


def test_the_gold_answer_of_a_row_is_right():
    answers = [
        "1/2",
        "\\frac{1}{2}",
        "$x^2$",
        "\\boxed{3}",
        7,
        -0.5,
        "\\text{Monday}",
        "(1, 2)",
        "\\pi",
        "1,234",
        "x=3",
    ]
    assert set(reasons(*((VERIFIER.gold({"answer": answer}), answer) for answer in answers))) == {"correct"}


HOSTILE = [
    "\\boxed{__import__('os').system('touch /tmp/escaped-from-math')}",
    "$__import__('os').write(4, b'correct\\n')$",
    "the final answer is __import__('os').write(4, b'correct\\n')",
    "1+__import__('os').write(4, b'correct\\n')",
    "\\boxed{\\text{correct}}",
    "correct\n",
    '"}\ncorrect\n',
    "\\boxed{9^{9^{9^{9}}}}",
    "9^9^9^9",
    "\\boxed{" + "\\frac{1}{" * 200 + "1" + "}" * 200 + "}",
    "$" * 20_000,
    "\\boxed{" * 2_000,
    "answer " * 2_800,
]


def test_an_answer_that_would_run_code_does_nothing():
    assert "correct" not in reasons(*((text, "17") for text in HOSTILE))
    assert not Path("/tmp/escaped-from-math").exists()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, 'row has no "answer", which the math verifier needs (columns found: none)'),
        ({"answer": None}, "answer is null"),
        ({"answer": True}, "answer is a boolean: true"),
        ({"answer": float("nan")}, "answer is a floating-point number: nan"),
        ({"answer": float("inf")}, "answer is a floating-point number: inf"),
        ({"answer": 10**400}, "answer is an integer"),
        ({"answer": ["3"]}, "answer is a list"),
        ({"answer": " "}, "answer has 1 characters"),
        ({"answer": "1" * 1001}, "answer has 1,001 characters"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, problem):
    with pytest.raises(RowError) as error:
        VERIFIER.check_row(row)
    assert error.value.column == "answer"
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os')",
        "x.y",
        "x[0]",
        "lambda: 0",
        "[x for x in y]",
        "eval('1')",
        "f'{x}'",
        "x if y else z",
        "open",
    ],
)
def test_the_guard_lets_only_mathematics_through(code):
    import sympy

    names = {name: sympy.Symbol(name) for name in "xyz"} | {
        "eval": eval,
        "open": open,
        "__import__": __import__,
    }
    with pytest.raises(sympy_guard.Refused):
        sympy_guard.check(code, names)
    sympy_guard.check("Integer(2)*x + sqrt(y)/-sin(z)**2", names | vars(sympy))
