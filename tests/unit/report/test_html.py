"""The page as a text: what a reader sees, what a browser is told, and what hostile words of a model cannot do.

A wanted change of the words is taken over with `UPDATE_GOLDEN=1 pytest tests/unit/report` and read in the diff.
The page in a real browser is in tests/integration/report.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reflection_api.evaluation import EvaluationResult, PairedComparison
from reflection_trainer.report import charts, comparisons
from reflection_trainer.report.gather import summarised
from reflection_trainer.report.html import render_html
from reflection_trainer.report.safe_text import visible

from ...support.reports import BIDI, HOSTILE, WORST, comparison, whole_report

GOLDEN = Path(__file__).parent / "golden" / "page.txt"


class Page(HTMLParser):
    """Tags with their attributes, the text that is shown, and what stands in style, script and data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.raw: dict[str, str] = {}
        self.lines: list[str] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        self.attributes += attributes
        data = dict(attributes).get("type") == "application/json"
        self._inside = "data" if data else tag if tag in ("style", "script") else self._inside

    def handle_endtag(self, tag):
        if tag in ("style", "script"):
            self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.raw[self._inside] = self.raw.get(self._inside, "") + data
        elif data.strip():
            self.lines.append(" ".join(data.split()))

    @property
    def data(self):
        return json.loads(self.raw["data"])

    @property
    def policy(self):
        [content] = [value for _, value in self.attributes if value and value.startswith("default-src")]
        return dict(part.split(" ", 1) for part in content.split("; "))


def page(text="i should use subtract", **changes):
    return Page(render_html(whole_report(text, **changes)))


PLAIN = page()


def test_the_words_of_the_page_are_as_written_out():
    text = "\n".join(PLAIN.lines) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_only_our_own_style_and_script_may_run():
    policy = PLAIN.policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(PLAIN.raw[kind].encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert "unsafe" not in " ".join(policy.values())


def test_the_page_names_no_place_to_load_from():
    loading = {"src", "srcset", "action", "formaction", "data", "poster", "background"}
    assert not loading & {name for name, _ in PLAIN.attributes}
    links = [value for name, value in PLAIN.attributes if name in ("href", "xlink:href")]
    assert all(link == "data:," or link.startswith("#") for link in links)
    assert "url(" not in PLAIN.raw["style"]
    assert "@import" not in PLAIN.raw["style"]


def test_nothing_is_styled_or_run_by_an_attribute():
    assert not [name for name, _ in PLAIN.attributes if name == "style" or name.startswith("on")]


def test_every_link_within_the_page_leads_somewhere():
    ids = {value for name, value in PLAIN.attributes if name == "id"}
    for name, value in PLAIN.attributes:
        if name == "href" and value.startswith("#"):
            assert value[1:] in ids
        if name == "aria-labelledby":
            assert value in ids


@settings(max_examples=20)
@given(st.text(max_size=40))
@example(HOSTILE)
@example(WORST)
def test_words_of_a_model_cannot_change_the_page_s_shape(text):
    hostile = page(f"x{text}x")
    assert hostile.tags == PLAIN.tags
    assert hostile.raw["script"] == PLAIN.raw["script"]
    assert hostile.policy == PLAIN.policy
    [row] = hostile.data["transcripts"]
    assert row["baseReflection"] == visible(f"x{text}x")


def test_names_and_settings_are_text_too():
    made = whole_report().model_copy(
        update={
            "name": WORST,
            "model": {"uri": f"file:///m/{WORST}"},
            "task": {"prompts": {"uri": WORST}, "verifier": {"builtin": {"name": WORST}}},
            "versions": {WORST: WORST},
        }
    )
    rounds = [made.rounds[0].model_copy(update={"failures": {f"reason.{WORST}": 3.0, "attempts": 4.0}})]
    hostile = Page(render_html(made.model_copy(update={"rounds": rounds})))
    assert [tag for tag, _ in hostile.tags].count("script") == 2
    assert not {"b", "alert"} & set(hostile.raw["script"].split())
    assert hostile.policy == PLAIN.policy


def test_data_cannot_end_their_element():
    text = render_html(whole_report(WORST))
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["transcripts"][0]["baseReflection"] == visible(WORST)
    assert not re.search(r"[<>&\u2028\u2029\u202e]", data)


@given(st.text())
@example(WORST)
def test_visible_text_has_shape_and_keeps_its_lines(text):
    shown = visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown)
    assert shown.count("\n") == text.count("\n")
    if re.fullmatch(r"[\w \n\t.,;:!?<>&'\"\u00a0\u3000-]*", text):
        assert shown == text


def test_direction_marks_are_named():
    assert visible(f"a{BIDI}b\x1b") == "a\\u202e\\u2066\\u200fb\\x1b"


def test_every_share_has_an_interval_or_a_count_beside_it():
    """A line of the page's text is a cell or a sentence: every row with a share has an interval after it."""
    text = "\n".join(PLAIN.lines)
    for sentence in re.findall(r".*\d\.\d{3} to \d\.\d{3}.*", text):
        assert re.search(r"\[[+-]\d\.\d{3},\s[+-]\d\.\d{3}\] on [\d,]+ questions", sentence), sentence
    # A benchmark has one number of examples, and an interval where its score has one.
    text = re.sub(r"\nElsewhere\n.*?(?=\nControls)", "", text, flags=re.S)
    rows = re.findall(
        r"^\d\.\d{3}\n\d\.\d{3}\n(?P<change>.*)\n(?P<interval>.*)\n(?P<p>.*)\n(?P<n>.*)\n(?P<m>.*)$",
        text,
        re.M,
    )
    assert len(rows) == 22
    for change, interval, test, questions, answers in rows:
        assert re.fullmatch(r"[+-]\d\.\d{3}", change)
        assert re.fullmatch(r"\[[+-]\d\.\d{3}, [+-]\d\.\d{3}\]", interval)
        assert re.fullmatch(r"-|p [<=] \d\.\d{3}", test)
        assert re.fullmatch(r"[\d,]+", questions)
        assert re.fullmatch(r"[\d,]+", answers)


def test_a_control_that_is_new_appears_by_itself(monkeypatch):
    class Wider(EvaluationResult):
        generic: PairedComparison | None = None

    Wider.model_fields["generic"].description = "Control: a sentence that fits any question."
    monkeypatch.setattr(comparisons, "EvaluationResult", Wider)
    made = whole_report()
    result = Wider.model_validate(
        made.rounds[0].evaluation.to_dict() | {"generic": comparison(0.3, 0.31, -0.01, 0.03)}
    )
    rounds = [made.rounds[0].model_copy(update={"evaluation": result})]
    lines = Page(render_html(made.model_copy(update={"rounds": rounds}))).lines
    at = lines.index("control: a sentence that fits any question")
    assert lines[at + 1 : at + 6] == ["0.300", "0.310", "+0.010", "[-0.010, +0.030]", "p < 0.001"]


def test_curves_are_drawn_in_the_page_s_colours():
    [training] = [made.training for made in whole_report().rounds]
    drawn = {chart.title: svg for chart, svg in charts.charts(training)}
    assert list(drawn) == ["Reward"]
    assert "var(--trained)" in drawn["Reward"]
    assert not re.search(r"style=|<script|<image|href=", drawn["Reward"])


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_short_trainings_have_curves_too(steps):
    lines = [{"step": float(n), "reward": 0.5} for n in range(1, steps + 1)]
    [(_, svg)] = charts.charts(summarised(lines, {}))
    assert "NaN" not in svg


def test_a_report_without_anything_is_a_page():
    made = whole_report()
    empty = made.model_copy(update={"rounds": [made.rounds[0].model_copy(update={
        "failures": {}, "training": None, "evaluation": None, "transcripts": [], "costs": [], "model_uri": None,
    })]})  # fmt: skip
    lines = Page(render_html(empty)).lines
    assert "Not known" in lines
    assert "Transcripts" not in lines
    assert "Training" not in lines
