"""What stands in a Markdown page: its fences, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")


class Fence(NamedTuple):
    """A block between ```` ``` ````; the word after the language is the name of the file that it is."""

    language: str
    name: str | None
    text: str


def label(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[Fence]:
    for match in _FENCE.finditer(page.read_text()):
        yield Fence(match["language"], match["name"], match["text"])


def headed(page: Path, language: str) -> dict[str, str]:
    """What the blocks of a language say below each heading that has any."""
    text, found = page.read_text(), dict[str, str]()
    for match in _FENCE.finditer(text):
        if match["language"] == language:
            heading = _HEADING.findall(_FENCE.sub("", text[: match.start()]))[-1]
            found[heading] = found.get(heading, "") + match["text"]
    return found


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = _FENCE.sub("", page.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in (found.replace("`", "") for found in _HEADING.findall(prose))
    }


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file and the anchor, perhaps empty, that each link within the repository leads to."""
    for file, anchor in _LINK.findall(_FENCE.sub("", page.read_text())):
        yield (page.parent / file).resolve() if file else page, anchor
