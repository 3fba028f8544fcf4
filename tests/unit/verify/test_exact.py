"""What exact calls right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError


def reason(completion: str, answer: object, **options: bool) -> str:
    [verdict] = make_verifier("exact", options).verify(
        [Item(id="x", completion=completion, row={"answer": answer})]
    )
    assert verdict.correct == (verdict.reason == "correct")
    return verdict.reason


@pytest.mark.parametrize(
    ("completion", "answer", "options", "expected"),
    [
        ("Paris", "Paris", {}, "correct"),
        ("  Paris\n", "Paris", {}, "correct"),
        ("Paris", " Paris\u00a0", {}, "correct"),
        ("Paris ", "Paris", {"strip": False}, "wrong_answer"),
        ("Paris ", "Paris ", {"strip": False}, "correct"),
        (" ", " ", {"strip": False}, "correct"),
        ("paris", "Paris", {}, "wrong_answer"),
        ("paris", "Paris", {"ignoreCase": True}, "correct"),
        ("STRASSE", "stra\u00dfe", {"ignoreCase": True}, "correct"),
        ("Paris.", "Paris", {}, "wrong_answer"),
        ("The answer is Paris", "Paris", {}, "wrong_answer"),
        ("<answer>Paris</answer>", "Paris", {}, "wrong_answer"),
        ("P\u0430ris", "Paris", {"ignoreCase": True}, "wrong_answer"),
        ("Par\u200bis", "Paris", {}, "wrong_answer"),
        ("caf\u00e9", "cafe\u0301", {}, "wrong_answer"),
        ("", "Paris", {}, "no_answer"),
        (" \n\t", "Paris", {}, "no_answer"),
        (" ", "Paris", {"strip": False}, "no_answer"),
        ("42", 42, {}, "correct"),
        ("-7", -7, {}, "correct"),
        ("42.0", 42, {}, "wrong_answer"),
        ("042", 42, {}, "wrong_answer"),
        ("\uff14\uff12", 42, {}, "wrong_answer"),
        ("NaN", "NaN", {}, "correct"),
    ],
)
def test_verdict(completion, answer, options, expected):
    assert reason(completion, answer, **options) == expected


answers = st.text(min_size=1).filter(str.strip)


@given(answers, st.text(alphabet=" \t\n"), st.text(alphabet=" \t\n"))
def test_right_by_construction_passes(answer, before, after):
    assert reason(answer, answer, strip=False) == "correct"
    assert reason(f"{before}{answer}{after}", answer) == "correct"
    assert reason(answer, answer, ignoreCase=True) == "correct"


@given(answers, st.data())
def test_one_character_more_less_or_other_is_wrong(answer, data):
    place = data.draw(st.integers(0, len(answer) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda c: c.strip() and c != answer[place]))
    inserted = f"{answer[:place]}{character}{answer[place:]}"
    replaced = f"{answer[:place]}{character}{answer[place + 1 :]}"
    shorter = f"{answer[:place]}{answer[place + 1 :]}"
    assert reason(inserted, answer) == "wrong_answer"
    assert reason(replaced, answer) == "wrong_answer"
    assert reason(shorter, answer, strip=False) == ("wrong_answer" if shorter.strip() else "no_answer")


@given(st.one_of(answers, st.integers(-(10**18) + 1, 10**18 - 1)))
def test_the_gold_answer_of_a_row_is_right(answer):
    verifier = make_verifier("exact")
    row = {"answer": answer}
    gold = verifier.gold(row)
    assert gold is not None
    [verdict] = verifier.verify([Item(id="x", completion=gold, row=row)])
    assert verdict.correct


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"target": "Paris"}, 'row has no "answer", which the exact verifier needs (columns found: target)'),
        ({"answer": None}, "answer is null"),
        ({"answer": True}, "answer is a boolean: true"),
        ({"answer": 3.0}, "answer is a floating-point number: 3.0"),
        ({"answer": float("nan")}, "answer is a floating-point number: nan"),
        ({"answer": 10**18}, "answer is an integer of more than 18 digits"),
        ({"answer": 10**5000}, "answer is an integer of more than 18 digits"),
        ({"answer": ["Paris"]}, 'answer is a list: ["Paris"]'),
        ({"answer": {"x": 1}}, "answer is an object"),
        ({"answer": b"Paris"}, "answer is a bytes"),
        ({"answer": ""}, 'answer is empty: ""'),
        ({"answer": " \n"}, 'answer is empty: " \\n"'),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, problem):
    with pytest.raises(RowError) as error:
        make_verifier("exact").check_row(row)
    assert error.value.column == "answer"
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


def test_an_empty_answer_is_refused_whatever_the_options():
    with pytest.raises(RowError):
        make_verifier("exact", {"strip": False}).check_row({"answer": ""})
    make_verifier("exact", {"strip": False}).check_row({"answer": " "})
