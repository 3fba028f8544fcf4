"""The report in a real Chromium, started once per file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from reflection_trainer.report.content import Report
from reflection_trainer.report.html import render_html

ROOT = Path(__file__).parents[3]


class Opened:
    """A page that is open, and what it did: it must ask for nothing but itself, and complain of nothing."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self.file = page, file
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))
        page.goto(file.as_uri())

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def is_quiet(self) -> None:
        assert self.requests == [self.file.as_uri()]
        assert self.complaints == []


# Playwright keeps an event loop running in this thread as long as it lives: no other test gets one of its own until then.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = subprocess.run(
        ["sh", ROOT / "scripts/find-chromium.sh"], text=True, capture_output=True, check=False
    )
    if found.returncode != 0:
        pytest.skip("no Chromium: run make deps-system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip())
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens a report, or a page as it stands, in a context of its own; keyword arguments are the context's."""
    contexts = []

    def open_page(content: Report | str, **how: Any) -> Opened:
        file = tmp_path / "index.html"
        file.write_text(content if isinstance(content, str) else render_html(content), encoding="utf-8")
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 860}} | how))
        return Opened(contexts[-1].new_page(), file)

    yield open_page
    for context in contexts:
        context.close()
