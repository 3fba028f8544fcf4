"""What a model writes is shown and does nothing; and what gets into the page by other ways is stopped by its policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from reflection_trainer.report.html import render_html
from reflection_trainer.report.safe_text import visible

from ...support.reports import HOSTILE, WORST, transcript, whole_report, with_transcripts

RAN = "window.ran = true"
TRIES = [
    f"</script><script>{RAN}</script>",
    f"<img src=x onerror='{RAN}'>",
    f"<!--<script>{RAN}</script>",
    f"--><svg onload='{RAN}'>",
    f'" onmouseover="{RAN}" autofocus onfocus="{RAN}',
    f"\u2028{RAN}\u2029",
    "<style>body{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<iframe src=http://127.0.0.1:9/></iframe>",
    "<base href=http://127.0.0.1:9/><template></template></template>",
    f"{{{{ cycler.__init__.__globals__ }}}} ${{{RAN}}}",
    HOSTILE,
    WORST,
]


def hostile_report(text):
    return with_transcripts(whole_report(text), [transcript(1, text)])


@pytest.mark.parametrize("text", TRIES, ids=range(len(TRIES)))
def test_words_of_a_model_are_shown_as_they_are_and_do_nothing(opened, text):
    here = opened(hostile_report(text))
    shown = here.page.locator("[data-text=failed]").evaluate("element => element.textContent")
    assert shown == visible(f"failed {text}")
    phrase = here.page.locator(".phrases q").first
    assert phrase.evaluate("element => element.textContent") == visible(text)
    here.page.get_by_label("Search").fill("failed")
    here.page.locator("article").hover()
    assert here.page.evaluate("window.ran") is None
    expect(here.page.locator("body")).to_be_visible()
    assert here.page.url == here.file.as_uri()
    here.is_quiet()


def test_no_direction_mark_reaches_the_document(opened):
    here = opened(hostile_report("a\u202ebc\u2066d\u200ee"))
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]", here.page.content())
    assert here.texts("[data-text=failed]") == ["failed a\\u202ebc\\u2066d\\u200ee"]


def test_a_search_for_markup_makes_none(opened):
    here = opened(hostile_report("<img src=x onerror=alert(1)>"))
    here.page.get_by_label("Search").fill("<img")
    assert set(here.texts("#list mark")) == {"<img"}
    assert here.page.locator("#list img").count() == 0
    here.is_quiet()


@pytest.mark.parametrize(
    "smuggled",
    [
        f"<script>{RAN}</script>",
        f"<img src=data:, onerror='{RAN}'>",
        f"<a href='javascript:{RAN}' id=smuggled>x</a>",
        "<script src='data:text/javascript,window.ran=true'></script>",
    ],
)
def test_the_policy_stops_a_script_that_stands_in_the_file(opened, smuggled):
    """As if escaping had failed: the same page with markup of somebody else in it."""
    page = render_html(whole_report()).replace('<main id="main">', f'<main id="main">{smuggled}')
    here = opened(page)
    if here.page.locator("#smuggled").count():
        here.page.locator("#smuggled").click()
    assert here.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in here.complaints)


def test_the_policy_stops_styles_frames_and_pictures_of_others(opened):
    smuggled = (
        "<p id=p style='color: rgb(1, 2, 3)'>x</p><style>#p { color: rgb(1, 2, 3) }</style>"
        "<img src=http://127.0.0.1:9/x.png><iframe src=http://127.0.0.1:9/></iframe>"
        "<link rel=stylesheet href=http://127.0.0.1:9/x.css>"
    )
    here = opened(render_html(whole_report()).replace('<main id="main">', f'<main id="main">{smuggled}'))
    assert here.page.locator("#p").evaluate("p => getComputedStyle(p).color") != "rgb(1, 2, 3)"
    stopped = [complaint for complaint in here.complaints if "Content Security Policy" in complaint]
    assert len(stopped) >= 5, here.complaints


@pytest.mark.parametrize(
    "attempt",
    [
        "eval('window.ran = true')",
        "new Function('window.ran = true')()",
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))",
    ],
)
def test_not_even_our_own_script_could_run_text(opened, attempt):
    """Run from a timer as page code would: what a debugger evaluates is not held to the policy."""
    here = opened(whole_report())
    here.page.evaluate(
        f"new Promise(done => setTimeout(() => {{ try {{ {attempt} }} catch (error) {{ window.error = error }} done() }}))"
    )
    assert here.page.evaluate("window.ran") is None
    assert any("requires 'Trusted" in text for text in here.complaints), here.complaints


def test_the_page_cannot_reach_the_network(opened):
    here = opened(whole_report())
    answer = here.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'reached', error => String(error))")
    assert "Failed to fetch" in answer
    assert any("connect-src" in text or "default-src" in text for text in here.complaints)
