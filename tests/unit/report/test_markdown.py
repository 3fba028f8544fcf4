"""The Markdown itself: as written out once, and proof against whatever a model writes.

A wanted change is taken over with `UPDATE_GOLDEN=1 pytest tests/unit/report` and read in the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reflection_trainer.report.markdown import render_markdown
from reflection_trainer.report.safe_text import code, name

from ...support.reports import HOSTILE, against, comparison, contrast, report, whole_report

GOLDEN = Path(__file__).parent / "golden" / "report.md"
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def test_the_report_is_as_written_out():
    text = render_markdown(whole_report())
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def tokens(text):
    for token in PARSER.parse(text):
        yield token
        yield from token.children or []


def shape(text):
    """Everything but the words: what a reader's renderer makes of the report."""
    return [(token.type, token.tag) for token in tokens(text)]


SHAPE = shape(render_markdown(whole_report()))


def hostile():
    pieces = [
        "`",
        "``",
        "~~~",
        "\n",
        "\n\n",
        "|",
        "#",
        "- ",
        "<b>",
        "</td>",
        "![x](y)",
        "[a](b)",
        "&lt;",
        "\\",
        "*",
        "_",
        " ",
        "$",
    ]
    return st.lists(st.sampled_from(pieces) | st.text(max_size=4), max_size=12).map("".join)


@given(hostile())
@example(HOSTILE)
@example("`" * 500)
@example(" ")
def test_words_of_a_model_cannot_change_the_report_s_shape(text):
    rendered = render_markdown(whole_report(f"x{text}x"))
    assert shape(rendered) == SHAPE
    assert not any(
        token.type in ("html_inline", "html_block", "image", "link_open") for token in tokens(rendered)
    )


@given(hostile())
@example("\x1b]0;title\x07\u202e\u2066")
def test_code_shows_printable_text_on_one_line(text):
    shown = code(text)
    assert "\n" not in shown
    assert shown.isprintable()
    [inline] = [token for token in PARSER.parse(f"- {shown}") if token.type == "inline"]
    words = " ".join(text.split())
    if words.isprintable() and 0 < len(words) <= 400:
        assert [token.content for token in inline.children] == [words]


def test_long_texts_are_cut():
    assert code("x" * 401) == "`" + "x" * 400 + "...`"
    assert code("x" * 400) == "`" + "x" * 400 + "`"
    assert code(" \n ") == "(empty)"


@given(st.text())
def test_names_hold_nothing_that_has_an_effect(text):
    assert re.fullmatch(r"[A-Za-z0-9_ .,()?-]{0,60}", name(text))


def test_a_control_that_reflection_does_not_beat_is_not_called_a_success():
    near = contrast(0.42, 0.408, -0.02, 0.05, p=0.412)
    text = render_markdown(report(reflectionAgainstFresh=near))
    assert "Not shown to be better than a fresh try: +0.012 [-0.020, +0.050] (n = 713, p = 0.412)." in text
    assert "Can I trust it? Yes" in render_markdown(report())


def test_a_gain_by_answers_that_were_given_away_is_not_called_a_success():
    away = {"tokens": 4.1, "truncated": 0.0, "leaks": 0.9, "otherScript": 0.0}
    none_left = comparison(0.274, 0.28, -0.03, 0.042, 190, 713, p=0.71)
    text = render_markdown(report(withoutLeaks=none_left, reflectionsTrained=away))
    assert "Can I trust it? Not shown" in text
    assert (
        "no: Retries are not shown to gain where answers that the reflection gave away count as wrong: "
        "+0.006 [-0.030, +0.042] (n = 713, p = 0.710)." in text
    )
    honest = render_markdown(report(reflectionsTrained=away | {"leaks": 0.0}))
    assert "gave away count as wrong:" not in honest


def test_reflections_that_help_only_the_trained_model_are_told_but_have_beaten_the_controls():
    alone = contrast(0.29, 0.274, -0.02, 0.052, p=0.371)
    text = render_markdown(report(reflectionGivenToBase=alone))
    assert "Can I trust it? Yes, every control is beaten" in text
    assert (
        "note: The base model is not shown to retry better after the trained model's reflections than after its own: "
        "+0.016 [-0.020, +0.052] (n = 713, p = 0.371)." in text
    )


def test_a_loss_is_called_a_loss():
    text = render_markdown(report(firstTry=comparison(0.4, 0.3, -0.15, -0.05)))
    assert "The first try fell: 0.400 to 0.300, -0.100 [-0.150, -0.050] on 214 questions, p < 0.001." in text


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0312, "p = 0.031"), (0.001, "p = 0.001"), (0.00099, "p < 0.001"), (1.0, "p = 1.000"), (None, "-")],
)
def test_every_comparison_tells_its_paired_test(p, words):
    values = {"firstTry": comparison(0.4, 0.3, -0.15, -0.05, p=p), "compared": {"uri": "hf://a/b"}}
    for key in ("firstTry", "secondTry"):
        values["compared"][key] = against(0.552, 0.402, -0.19, -0.11, p=p)
    text = render_markdown(report(**values))
    assert f"| first try | 0.400 | 0.300 | -0.100 [-0.150, -0.050] | {words} | 214 | 1,070 |" in text
    assert f"| first try | 0.552 | 0.402 | -0.150 [-0.190, -0.110] | {words} | 190 | 713 |" in text


def test_every_line_with_a_figure_has_an_interval_or_a_count():
    """Shares have three digits after the point and stand beside an interval; percentages beside an n."""
    text = render_markdown(report())
    head, _, rest = text.partition("## Round 1")
    for line in head.splitlines():
        if re.search(r"\d\.\d{3}", line):
            assert re.search(r"\[[+-]\d\.\d{3}, [+-]\d\.\d{3}\]", line), line
        if "%" in line:
            assert "n = " in line, line
    held_out = rest.partition("### Held-out questions")[2].splitlines()
    shares = [line for line in held_out if re.search(r"\| 0\.\d{3} \|", line)]
    assert len(shares) == 23
    for line in shares:
        assert re.search(
            r"\[[+-]\d\.\d{3}, [+-]\d\.\d{3}\]( \| (-|p [<=] \d\.\d{3}))?( \| [\d,]+){1,2} \|$", line
        ), line
