"""Figures and pictures of docs/did-the-reflection-do-it.md, from a run of the demo: `make demo report-page`.

Writes docs/results/countdown-report.json, which holds every figure that the page quotes, and docs/images/report-*.png. A test
compares the page with the figures: after another run, its words have to be read again. The committed pictures were taken with
the font Inter (Debian's fonts-inter), which the page prefers where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from reflection_trainer.report.content import Report
from reflection_trainer.report.find import report_of
from reflection_trainer.report.html import render_html

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs/results/countdown-report.json"
IMAGES = ROOT / "docs/images"
WIDE = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}
QUOTED = ("failures", "audit", "evaluation", "outcomes", "phrasesBase", "phrasesTrained", "costs")
OF_TRAINING = (
    "steps",
    "window",
    "reflectionsPerStep",
    "groups",
    "liveGroups",
    "allRightGroups",
    "allWrongGroups",
)
"""What the page may quote: no path of this machine is among it."""
MARGIN = 24
IN_PAGE = """element => {
  const {x, y, width, height} = element.getBoundingClientRect();
  return {x: x + scrollX, y: y + scrollY, width, height};
}"""
"""A part's place in the whole page: typing into a field may have scrolled to it."""
MAX_BYTES = 300_000


def main() -> int:
    """Write the figures and take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "run", nargs="?", type=Path, default=ROOT / "build/demo", help="the run (default: build/demo)"
    )
    place: Path = parser.parse_args().run
    report = report_of(str(place))
    write_figures(report)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "index.html"
        page.write_text(render_html(report), encoding="utf-8")
        take_pictures(page)
    return 0


def write_figures(report: Report) -> None:
    """The newest round's figures, and the machine that this runs on."""
    newest = report.rounds[-1].to_dict()
    training = newest["training"]
    figures = {name: newest[name] for name in QUOTED}
    figures["training"] = {name: training[name] for name in OF_TRAINING}
    figures["training"] |= {
        "firstReward": training["first"]["reward"],
        "lastReward": training["last"]["reward"],
    }
    figures["versions"] = report.versions
    figures["machine"] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(FIGURES.relative_to(ROOT))


def processor() -> str:
    """What this machine calls its processor."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    return found[1] if found else platform.machine()


def take_pictures(page: Path) -> None:
    """Light, dark, on a phone, and single sections."""
    found = subprocess.run(
        ["sh", ROOT / "scripts/find-chromium.sh"], text=True, stdout=subprocess.PIPE, check=False
    )
    if found.returncode != 0:
        sys.exit("no Chromium: run make deps-system")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip())
        for name, how in (
            ("light", WIDE | {"color_scheme": "light"}),
            ("dark", WIDE | {"color_scheme": "dark"}),
            ("phone", PHONE | {"color_scheme": "light"}),
        ):
            save(name, opened(browser, page, **how))
        sections(browser, page)
        browser.close()


def sections(browser: Browser, page: Path) -> None:
    """The parts of the page that the text walks through, in the light setting."""
    for name, heading in (
        ("controls", "changed-1"),
        ("reflections", "reflections-1"),
        ("training", "training-1"),
    ):
        shown = opened(browser, page, **WIDE, color_scheme="light")
        save(name, shown, f"section[aria-labelledby={heading}]")
    shown = opened(browser, page, **WIDE, color_scheme="dark")
    shown.get_by_label("Search").fill("careless")
    save("transcripts", shown, "section[aria-labelledby=transcripts]", tallest=WIDE["viewport"]["height"])


def opened(browser: Browser, page: Path, **how: Any) -> Page:
    """The page in a context of its own."""
    shown = browser.new_context(**how).new_page()
    shown.goto(page.as_uri())
    return shown


def save(name: str, shown: Page, part: str | None = None, *, tallest: int = 2000) -> None:
    """A picture of what is in view, or of one part."""
    file = IMAGES / f"report-{name}.png"
    if part:
        box = shown.locator(part).evaluate(IN_PAGE)
        clip = {
            "x": box["x"] - MARGIN,
            "y": box["y"] - MARGIN,
            "width": box["width"] + 2 * MARGIN,
            "height": min(box["height"] + 2 * MARGIN, tallest),
        }
        shown.screenshot(path=file, full_page=True, clip=clip)
    else:
        shown.screenshot(path=file)
    with_a_palette(file)
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT)}: {size / 1000:.0f} kB")
    if size > MAX_BYTES:
        sys.exit(f"{file.relative_to(ROOT)}: {size:,} bytes, at most {MAX_BYTES:,} belong into a repository")


def with_a_palette(file: Path) -> None:
    """A third of the size, and no eye sees the difference: such a page has few colours."""
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(file, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
