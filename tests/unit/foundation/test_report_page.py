"""docs/did-the-reflection-do-it.md quotes a real run: every figure on it stands in what scripts/report_page.py wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from scripts.report_page import MAX_BYTES, with_a_palette

from ...support.pages import ROOT

PAGE = (ROOT / "docs/did-the-reflection-do-it.md").read_text()
FIGURES = json.loads((ROOT / "docs/results/countdown-report.json").read_text())
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?%?(?![\w.-])")
OTHERS = {"24", "8", "3", "95%", "0", "0.7", "400"}
"""The example of a question, the level of the intervals, the seed, the model's size and words."""


def written(value: Any) -> Iterator[str]:
    """Every way in which the page may write the numbers in a JSON value."""
    if isinstance(value, dict):
        for part in value.values():
            yield from written(part)
    elif isinstance(value, list):
        for part in value:
            yield from written(part)
    elif isinstance(value, int | float):
        yield from (f"{value:.3f}", f"{value:+.3f}", f"{value:.1%}", f"{value:,.0f}")


def quoted(text: str) -> set[str]:
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|!\[[^\]]*\]", " ", text)
    return {found.strip(",") for found in NUMBER.findall(prose)} - OTHERS


def test_every_figure_on_the_page_is_the_run_s() -> None:
    found = quoted(PAGE)
    assert len(found) > 25
    assert found - set(written(FIGURES)) == set()


def test_a_figure_of_nobody_would_be_found() -> None:
    gain = FIGURES["evaluation"]["secondTry"]
    low, high = gain["interval"]
    sentence = f"by {gain['change'] + 0.002:+.3f} [{low:+.3f}, {high:+.3f}] on {gain['questions']} questions"
    assert quoted(sentence) - set(written(FIGURES)) == {f"{gain['change'] + 0.002:+.3f}"}


def test_the_machine_is_the_one_that_is_named() -> None:
    assert FIGURES["machine"]["processor"] in PAGE
    assert FIGURES["machine"]["cores"] == 2
    assert "two cores" in PAGE


def test_what_the_words_say_holds() -> None:
    """The sentences that no number carries."""
    evaluation = FIGURES["evaluation"]
    assert evaluation["retrySuccess"]["base"] < evaluation["freshTry"]["base"]
    assert evaluation["plainRetry"]["change"] < 0, "not better at trying again"
    assert evaluation["firstTry"]["interval"][0] > 0, "the first try rose, too"
    assert evaluation["retrySuccess"]["pValue"] < evaluation["firstTry"]["pValue"] / 100
    base, trained = ({row["text"]: row for row in FIGURES[f"phrases{who}"]} for who in ("Base", "Trained"))
    assert "i was careless" not in trained
    assert base["maybe use divide"]["right"] / base["maybe use divide"]["count"] < 0.1
    assert "maybe use divide" not in trained


CONTROLS = {
    "reflectionAgainstFresh": "*fresh try instead*",
    "reflectionAgainstPlain": "*asked again, no reflection*",
    "reflectionAgainstGeneric": "*a general sentence*",
    "reflectionAgainstShuffled": "*reflection on another question*",
    "reflectionAgainstBase": "*Whose part was it?*",
    "reflectionGivenToBase": "*Whose part was it?*",
}


def test_the_page_walks_through_every_control_of_the_run() -> None:
    contrasts = {
        name
        for name, value in FIGURES["evaluation"].items()
        if name.startswith("reflection") and "control" in value
    }
    assert contrasts == CONTROLS.keys()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_stands_beside_its_interval_and_is_beaten(name: str) -> None:
    contrast = FIGURES["evaluation"][name]
    low, high = contrast["interval"]
    [paragraph] = [part for part in PAGE.split("\n\n") if CONTROLS[name] in part]
    assert f"{contrast['difference']:+.3f} [{low:+.3f}, {high:+.3f}]" in paragraph
    assert low > 0


PICTURES = {file.name: file for file in (ROOT / "docs/images").glob("report-*.png")}


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_pictures_are_small(name: str) -> None:
    assert PICTURES[name].stat().st_size <= MAX_BYTES


def test_a_palette_makes_a_picture_small_and_leaves_it_as_it_looks(tmp_path: Path) -> None:
    before = Image.open(PICTURES["report-dark.png"]).convert("RGB")
    file = tmp_path / "picture.png"
    before.save(file)
    large = file.stat().st_size
    with_a_palette(file)
    after = Image.open(file).convert("RGB")
    assert file.stat().st_size < large
    assert after.size == before.size
    assert max(ImageStat.Stat(ImageChops.difference(before, after)).mean) < 1


def test_the_page_shows_every_picture_and_no_other() -> None:
    assert set(re.findall(r"\(images/(report-\w+\.png)\)", PAGE)) == PICTURES.keys()
    assert len(PICTURES) == 7


def test_no_path_of_the_machine_is_among_the_figures() -> None:
    assert "/" not in re.sub(r'"text": "[^"]*"', "", json.dumps(FIGURES))
