"""The Markdown itself: as written out once, and proof against whatever a model writes.

A wanted change is taken over with `UPDATE_GOLDEN=1 pytest tests/unit/report` and read in the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reflection_api.evaluation import EvaluationResult
from reflection_trainer.report.content import Report, Round
from reflection_trainer.report.gather import summarised
from reflection_trainer.report.markdown import render_markdown
from reflection_trainer.report.safe_text import code, name

from .runs import HOSTILE

GOLDEN = Path(__file__).parent / "golden" / "report.md"
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def comparison(base, trained, low, high, questions=214, samples=1070):
    return {
        "base": base, "trained": trained, "change": round(trained - base, 3), "interval": [low, high],
        "questions": questions, "samples": samples,
    }  # fmt: skip


def contrast(reflection, control, low, high):
    return {
        "reflection": reflection, "control": control, "difference": round(reflection - control, 3),
        "interval": [low, high], "questions": 190, "samples": 713,
    }  # fmt: skip


RESULT = {
    "firstTry": comparison(0.328, 0.402, 0.041, 0.108),
    "secondTry": comparison(0.509, 0.809, 0.262, 0.338),
    "retrySuccess": comparison(0.274, 0.779, 0.468, 0.541, 190, 713),
    "freshTry": comparison(0.368, 0.408, 0.003, 0.078, 190, 713),
    "shuffled": comparison(0.241, 0.284, 0.001, 0.085, 190, 713),
    "reflectionAgainstFresh": contrast(0.779, 0.408, 0.33, 0.41),
    "reflectionAgainstShuffled": contrast(0.779, 0.284, 0.45, 0.54),
    "reflectionsBase": {"tokens": 5.25, "truncated": 0.01, "leaks": 0.0},
    "reflectionsTrained": {"tokens": 4.1, "truncated": 0.0, "leaks": 0.052},
    "fixedFailures": 713,
    "tooLong": 3,
    "errorClassesBase": {"correct": 351, "wrong_result": 700, "no_answer": 19},
    "errorClassesTrained": {"correct": 430, "wrong_result": 640},
}


def report(text="i should use subtract", **changes):
    transcript = {
        "question": f"make 24 from 8 3 {text}", "failed": "8 + 3", "reason": "wrong_result",
        "baseReflection": text, "baseRetry": "8 - 3", "baseCorrect": False,
        "trainedReflection": "next time use multiply", "trainedRetry": "8 * 3", "trainedCorrect": True,
    }  # fmt: skip
    lines = [{"step": float(n), "reward": n / 250, "deadGroupShare": 0.4} for n in range(1, 251)]
    first = Round.model_validate(
        {
            "round": 1,
            "failures": {"attempts": 3448, "correct": 1259, "failures": 2189, "reason.wrong_result": 2189},
            "training": summarised(lines),
            "evaluation": EvaluationResult.model_validate(RESULT | changes),
            "transcripts": [transcript],
            "costs": [
                {"stage": "rollout", "seconds": 22.04, "tokens": 17240},
                {"stage": "train", "seconds": 192.0, "tokens": 560000},
                {"stage": "evaluate", "seconds": 31.5},
            ],
            "modelUri": "file:///runs/countdown/round-1/train/model",
        }
    )
    return Report(
        name="countdown-tiny",
        namespace="default",
        uri="file:///runs/countdown",
        model={"uri": "file:///models/tiny"},
        task={"prompts": {"uri": "file:///data/train.jsonl"}, "verifier": {"builtin": {"name": "countdown"}}},
        rollout={},
        training={},
        evaluation={"gates": {"minGain": 0.1}},
        planned_rounds=1,
        rounds=[first],
        versions={"reflect-operator": "0.1.0", "trl": "1.16.0"},
    )


def test_the_report_is_as_written_out():
    text = render_markdown(report())
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


SHAPE = shape(render_markdown(report()))


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
    rendered = render_markdown(report(f"x{text}x"))
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
    near = contrast(0.42, 0.408, -0.02, 0.05)
    text = render_markdown(report(reflectionAgainstFresh=near))
    assert "Was it the reflection? Not shown: against a fresh try +0.012 [-0.020, +0.050] (n = 713)" in text
    assert "Was it the reflection? Yes" in render_markdown(report())


def test_a_loss_is_called_a_loss():
    text = render_markdown(report(firstTry=comparison(0.4, 0.3, -0.15, -0.05)))
    assert "The first try fell: 0.400 to 0.300, -0.100 [-0.150, -0.050] on 214 questions." in text


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
    assert len(shares) == 5
    for line in shares:
        assert re.search(r"\[[+-]\d\.\d{3}, [+-]\d\.\d{3}\] \| [\d,]+ \| [\d,]+ \|$", line), line
