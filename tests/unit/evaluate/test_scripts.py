"""Which scripts a text is written in."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.evaluate.scripts import leaves_script, scripts

ENGLISH = "Make 24 from 8 and 3."


@pytest.mark.parametrize(
    ("reflection", "leaves"),
    [
        ("I should multiply: 8 * 3.", False),
        ("I should 乘 them.", True),
        ("应该相乘。", True),
        ("Нужно умножить.", True),
        ("Use α and β, 𝑥 ∈ ℝ, 5 µm, x²", False),
        ("naïve façade, ＡＢＣ", False),
        ("8 * 3 = 24", False),
        ("", False),
    ],
)
def test_against_an_english_question(reflection: str, leaves: bool) -> None:
    assert leaves_script(reflection, ENGLISH) is leaves


def test_a_question_in_two_scripts_allows_both() -> None:
    assert not leaves_script("乘 them", "用 8 和 3 make 24")
    assert not leaves_script("かけ算する", "用 8 和 3 得到 24"), "Chinese and Japanese share letters"
    assert leaves_script("умножить", "用 8 和 3 make 24")


@given(st.text())
def test_a_question_without_letters_expects_nothing(reflection: str) -> None:
    assert not leaves_script(reflection, "8 3 = 24 ?")


@given(st.text(), st.text())
def test_more_text_has_no_fewer_scripts(one: str, other: str) -> None:
    assert scripts(one) | scripts(other) == scripts(one + other)


@given(st.text())
def test_a_text_keeps_to_its_own_scripts(text: str) -> None:
    assert not leaves_script(text, text)
