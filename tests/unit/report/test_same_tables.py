"""Whoever reads the report as text misses no figure of the page: each row of its tables, and each list, is there too."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from reflection_trainer.report.html import render_html
from reflection_trainer.report.markdown import render_markdown

from ...support.reports import whole_report

FIGURE = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?%?")
COARSER = {"mean length in tokens"}
"""Rows with a figure that the two write with another number of digits."""


class Tables(HTMLParser):
    """The rows of all tables: their heading cell, and the figures of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, list[str]]] = []
        self._cells: list[str] = []
        self._heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._cells, self._heading = [], False
        if tag in {"th", "td"}:
            self._cells.append("")
            self._heading = self._heading or ("scope", "row") in attrs

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and self._heading:
            self.rows.append((" ".join(self._cells[0].split()), figures(self._cells[1:])))

    def handle_data(self, data: str) -> None:
        if self._cells:
            self._cells[-1] += data


def figures(cells: list[str]) -> list[str]:
    return FIGURE.findall(" ".join(cells))


def rows_of_markdown(text: str) -> list[tuple[str, list[str]]]:
    lines = (re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("| "))
    return [(cells[0].replace("(", "").replace(")", ""), figures(cells[1:])) for cells in lines]


def test_every_row_of_a_table_is_in_both() -> None:
    page = Tables()
    page.feed(render_html(whole_report()))
    there = rows_of_markdown(render_markdown(whole_report()))
    missing = [
        (label, found)
        for label, found in page.rows
        if (label.replace("(", "").replace(")", ""), found) not in there and label not in COARSER
    ]
    assert missing == []
    assert len(page.rows) > 35
    assert COARSER - {label for label, _ in there} == set()


def test_what_the_page_lists_is_in_the_text() -> None:
    report = whole_report()
    text = render_markdown(report)
    [number] = report.rounds
    for phrase in number.phrases_base + number.phrases_trained:
        assert (
            f"`{phrase.text}`: {phrase.count} of {number.outcomes.total}; {phrase.right} right after it"
            in text
        )
    for count, words in (
        ("400", "learned"),
        ("40", "lost"),
        ("155", "right with both"),
        ("118", "wrong with both"),
    ):
        assert re.search(rf"\b{count} (are )?{words}", text), words
