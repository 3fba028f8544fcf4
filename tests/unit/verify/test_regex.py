"""What regex calls right. The oracle is Python's own engine, on patterns that mean the same to both."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_api.verifiers import InvalidVerifier
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError


def reason(completion: str, row_pattern: object, **options: object) -> str:
    row = {} if row_pattern is None else {"pattern": row_pattern}
    [verdict] = make_verifier("regex", options).verify([Item(id="x", completion=completion, row=row)])
    assert verdict.correct == (verdict.reason == "correct")
    return verdict.reason


@pytest.mark.parametrize(
    ("completion", "pattern", "options", "expected"),
    [
        ("42", r"\d+", {}, "correct"),
        (" 42\n", r"\d+", {}, "correct"),
        ("about 42", r"\d+", {}, "no_match"),
        ("about 42", r"\d+", {"search": True}, "correct"),
        ("42 or 43", r"\d+", {}, "no_match"),
        ("YES", r"(?i)yes|no", {}, "correct"),
        ("YES", r"yes|no", {}, "no_match"),
        ("\uff14\uff12", r"[0-9]+", {}, "no_match"),
        ("a\nb", r"a.b", {}, "no_match"),
        ("a\nb", r"(?s)a.b", {}, "correct"),
        ("a\nb", r"^b$", {"search": True}, "no_match"),
        ("a\nb", r"(?m)^b$", {"search": True}, "correct"),
        ("", r"\d+", {}, "no_answer"),
        (" \n", r"\d+", {"search": True}, "no_answer"),
        ("", r"\d*", {}, "correct"),
        ("caf\u00e9", r"caf.", {}, "correct"),
        ("42", None, {"pattern": r"\d+"}, "correct"),
        ("42", r"[a-z]+", {"pattern": r"\d+"}, "no_match"),
    ],
)
def test_verdict(completion, pattern, options, expected):
    assert reason(completion, pattern, **options) == expected


def test_half_a_surrogate_pair_matches_nothing():
    item = Item.model_construct(id="x", completion="\ud800", row={"pattern": "."})
    assert make_verifier("regex").verify([item])[0].reason == "no_match"


def test_the_work_is_bounded():
    assert reason("b" * 1_000_000, "(a|b)+") == "correct"
    assert reason("b" * 1_000_000, r"(?:.{1,30}){1,30}!") == "too_long"
    assert reason("b" * 10_000, r"(?:.{1,30}){1,30}!") == "no_match"


def test_a_null_column_takes_the_option():
    verifier = make_verifier("regex", {"pattern": "a"})
    verifier.check_row({"pattern": None})
    with pytest.raises(RowError, match="pattern is null"):
        make_verifier("regex").check_row({"pattern": None})


@given(st.text(alphabet="ab.\\()[]*+?|{}^$-", min_size=1, max_size=40))
def test_a_quoted_text_matches_itself_and_nothing_shorter_or_longer(text):
    pattern = re.escape(text)
    assert reason(text, pattern) == "correct"
    assert reason(f"x{text}", pattern) == "no_match"
    assert reason(f"{text}x", pattern) == "no_match"
    assert reason(f"x{text}x", pattern, search=True) == "correct"
    assert reason(text[1:], pattern) == ("no_match" if text[1:] else "no_answer")


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "^", "$"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}"])).map("(?:{0[0]}){0[1]}".format),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text(alphabet="abc", max_size=8), st.booleans())
def test_agrees_with_another_engine(pattern, text, search):
    # Without a line feed in the text the two engines mean the same by every part of these patterns.
    expected = re.search(pattern, text) if search else re.fullmatch(pattern, text)
    assert (reason(text, pattern, search=search) == "correct") == (expected is not None)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"answer": "x"}, 'row has no "pattern", which the regex verifier needs (columns found: answer)'),
        ({"pattern": 7}, "pattern is an integer: 7"),
        ({"pattern": ["a"]}, 'pattern is a list: ["a"]'),
        ({"pattern": ""}, "pattern has 0 characters"),
        ({"pattern": "a" * 1001}, "pattern has 1,001 characters"),
        ({"pattern": "(?<=a)b"}, 'pattern is "(?<=a)b": invalid perl operator: (?<='),
        ({"pattern": r"(a)\1"}, 'pattern is "(a)\\\\1": invalid escape sequence'),
        ({"pattern": "(a"}, 'pattern is "(a": missing )'),
        (
            {"pattern": "((a{1000}){1000}){1000}"},
            'pattern is "((a{1000}){1000}){1000}": invalid repetition size',
        ),
        ({"pattern": "\ud800"}, 'pattern is "\\ud800": '),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, problem):
    with pytest.raises(RowError) as error:
        make_verifier("regex").check_row(row)
    assert error.value.column == "pattern"
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


def test_a_bad_option_is_refused():
    with pytest.raises(InvalidVerifier) as error:
        make_verifier("regex", {"pattern": "(a"})
    assert str(error.value) == (
        'options.pattern: "(a" is no pattern (missing ): (a); '
        "write it in RE2's syntax, which has no backreferences and no lookaround"
    )
    with pytest.raises(InvalidVerifier, match=r"options.pattern: 7 should be a valid string"):
        make_verifier("regex", {"pattern": 7})
