"""What a reader does with the report: look, search, filter, turn pages, hover, print; with a keyboard and without a script."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from reflection_trainer.report.content import Outcomes

from ...support.reports import report, transcript, whole_report, with_transcripts

PHONE = {"viewport": {"width": 390, "height": 844}}


def many(count=60):
    """Every third is lost, every tenth has another verdict, number 7 alone speaks of zebras."""
    rows = [
        transcript(
            number, "Zebra <b>bold</b>" if number == 7 else "", base=number % 3 == 0, trained=number % 3 != 0
        )
        for number in range(1, count + 1)
    ]
    made = with_transcripts(whole_report(), rows)
    outcomes = Outcomes(trained_only=count - count // 3, base_only=count // 3)
    return made.model_copy(update={"rounds": [made.rounds[0].model_copy(update={"outcomes": outcomes})]})


def numbers(opened):
    """The numbers of the transcripts on the page of them that is shown."""
    return [int(text.split()[1]) for text in opened.texts("#list [data-text=question]")]


def found(opened):
    return opened.page.locator("#found").inner_text()


def test_the_first_screen_answers_the_four_questions(opened):
    here = opened(whole_report())
    for question, word in (
        ("Did it learn?", "Yes"),
        ("Did it forget?", "No, it rose"),
        ("Can I trust it?", "Yes, every control is beaten"),
        ("What did it cost?", "4 min of work"),
    ):
        answer = here.page.locator(".answer", has_text=question)
        expect(answer.locator(".word")).to_have_text(word)
        expect(answer).to_be_in_viewport(ratio=1)
    here.is_quiet()


def test_all_transcripts_are_there_ten_at_a_time(opened):
    here = opened(many())
    assert numbers(here) == list(range(1, 11))
    assert found(here) == "60 of 60 shown"
    expect(here.page.get_by_role("button", name="Back")).to_be_disabled()
    for _ in range(5):
        here.page.get_by_role("button", name="Next").click()
    assert numbers(here) == list(range(51, 61))
    expect(here.page.get_by_text("Page 6 of 6")).to_be_visible()
    expect(here.page.get_by_role("button", name="Next")).to_be_disabled()
    here.is_quiet()


def test_search_finds_words_in_any_text_whatever_their_case(opened):
    here = opened(many())
    here.page.get_by_label("Search").fill("ZEBRA question")
    assert numbers(here) == [7]
    assert set(here.texts("#list mark")) == {"Zebra", "question"}
    here.page.get_by_label("Search").fill("retries 42")
    assert numbers(here) == [42]
    here.page.get_by_label("Search").fill("no such word")
    assert numbers(here) == []
    assert found(here).startswith("None fits.")
    here.is_quiet()


def test_filters_by_verdict_and_outcome_and_says_how_many(opened):
    here = opened(many())
    tallies = here.texts("fieldset label")
    assert tallies == ["all 60", "learned 40", "right with both 0", "wrong with both 0", "lost 20"]
    here.page.get_by_text("lost 20").click()
    assert numbers(here) == list(range(3, 31, 3))
    here.page.get_by_label("Failed answer").select_option(label="no_equation (6)")
    assert numbers(here) == [30, 60]
    assert here.texts("fieldset label")[:2] == ["all 6", "learned 4"]
    article = here.page.locator("article").first
    expect(article.locator("[data-who=base] .verdict")).to_have_text("✓ right")
    expect(article.locator("[data-who=trained] .verdict")).to_have_text("✗ wrong: no_equation")
    here.is_quiet()


def test_the_curves_tell_their_values_under_the_pointer_and_by_keyboard(opened):
    here = opened(many())
    chart, slider = here.page.locator(".charts svg").first, here.page.get_by_role("slider", name="Step")
    now = here.page.locator(".now[data-figure=reward]")
    expect(now).to_have_text("")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    here.page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 40)
    expect(now).to_have_text("(at this step 99.6%)")  # every second of 250 steps is kept
    slider.focus()
    slider.press("Home")
    expect(now).to_have_text("(at this step 0.4%)")
    slider.press("ArrowRight")
    expect(now).to_have_text("(at this step 1.2%)")
    assert slider.get_attribute("aria-valuetext") == "step 3"
    here.is_quiet()


def test_a_keyboard_reaches_everything(opened):
    here = opened(many())
    press = here.page.keyboard.press
    press("Tab")
    expect(here.page.get_by_text("Skip to the answers")).to_be_focused()
    here.page.get_by_label("Search").focus()
    here.page.keyboard.type("base")
    press("Tab")
    expect(here.page.get_by_label("Failed answer")).to_be_focused()
    press("Tab")
    press("ArrowRight")
    assert found(here) == "40 of 60 shown"
    next_page = here.page.get_by_role("button", name="Next")
    for _ in range(15):
        press("Tab")
        if next_page.evaluate("button => button === document.activeElement"):
            break
    press("Enter")
    expect(here.page.get_by_text("Page 2 of 4")).to_be_visible()
    expect(here.page.locator("article h3").first).to_be_focused()
    here.is_quiet()


@pytest.mark.parametrize("how", [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE], ids=str)
def test_no_barrier_that_axe_knows(opened, how):
    here = opened(many(), **how)
    for search in ("", "zebra"):
        here.page.get_by_label("Search").fill(search)
        results = Axe().run(here.page)
        assert results.response["violations"] == [], results.generate_report()
        assert len(results.response["passes"]) > 20


def test_dark_and_light_follow_the_reader(opened):
    def colors(scheme):
        page = opened(whole_report(), color_scheme=scheme).page
        return page.evaluate(
            "['html', '.charts path[stroke]'].map((name, i) => getComputedStyle(document.querySelector(name))"
            "[i ? 'stroke' : 'backgroundColor'])"
        )

    (light_paper, light_line), (dark_paper, dark_line) = colors("light"), colors("dark")
    assert light_paper == "rgb(250, 249, 246)"
    assert dark_paper == "rgb(19, 22, 25)"
    assert light_line != dark_line


def test_a_phone_needs_no_sideways_scrolling(opened):
    here = opened(many(), **PHONE)
    assert here.page.evaluate("document.documentElement.scrollWidth") == 390
    intervals = here.page.locator("table .ci").all()
    assert intervals
    for interval in intervals:
        box = interval.bounding_box()
        assert box["x"] + box["width"] <= 390


def test_print_is_dark_on_white_without_controls(opened):
    here = opened(many(), color_scheme="dark")
    here.page.emulate_media(media="print", color_scheme="dark")
    assert (
        here.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert here.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    for hidden in (".filters", "nav", ".pages", ".step"):
        expect(here.page.locator(hidden)).to_be_hidden()
    expect(here.page.locator("article").first).to_be_visible()
    assert here.page.pdf().startswith(b"%PDF")


def test_without_a_script_everything_but_the_transcripts_is_there(opened):
    here = opened(many(), java_script_enabled=False)
    expect(here.page.get_by_text("Yes, every control is beaten")).to_be_visible()
    expect(here.page.locator(".charts svg").first).to_be_visible()
    expect(here.page.get_by_text("which has not run")).to_be_visible()
    expect(here.page.locator(".filters")).to_be_hidden()
    expect(here.page.get_by_role("slider")).to_be_hidden()


def test_a_thousand_long_transcripts_stay_easy(opened):
    rows = [transcript(number, "word " * 700) for number in range(1, 201)]
    rows += [transcript(number) for number in range(201, 1001)]
    here = opened(with_transcripts(whole_report(), rows))
    assert here.file.stat().st_size < 6_000_000
    assert found(here) == "1,000 of 1,000 shown"
    assert here.page.locator("article").count() == 10
    expect(here.page.locator("article pre").first).to_have_attribute("tabindex", "0")  # it scrolls
    here.page.get_by_label("Search").fill("word 150")
    assert numbers(here) == [150]
    here.is_quiet()


def test_a_run_without_evaluation_is_shown_as_well(opened):
    made = report()
    update = {"evaluation": None, "transcripts": []}
    here = opened(made.model_copy(update={"rounds": [made.rounds[0].model_copy(update=update)]}))
    expect(here.page.get_by_text("Not known")).to_be_visible()
    expect(here.page.locator(".charts svg").first).to_be_visible()
    here.is_quiet()


def test_two_rounds_can_be_told_apart(opened):
    made = many(4)
    second = made.rounds[0].model_copy(update={"round": 2, "transcripts": made.rounds[0].transcripts[:1]})
    here = opened(made.model_copy(update={"rounds": [made.rounds[0], second], "planned_rounds": 2}))
    headings = here.texts("main > section > h2")
    assert headings.index("What changed in round 2") < headings.index("What changed in round 1")
    here.page.locator("select[name=round]").select_option(label="2 (1)")
    assert found(here) == "1 of 5 shown"
    here.page.locator(".charts[data-round='2'] svg").first.hover()
    assert here.texts(".charts[data-round='1'] .now") == [""]
    assert here.texts(".charts[data-round='2'] .now") != [""]
    here.is_quiet()
