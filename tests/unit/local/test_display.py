"""What stands on the terminal, and what goes into a pipe."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import StringIO

import pytest
from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from reflection_operator.local import display as module
from reflection_operator.local.display import Display, stage_table
from reflection_operator.local.stages import StageLine
from rich.console import Console

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TRAINING = {"reward": 0.81, "deadGroupShare": 0.59, "reflectionTokens": 4.1}


def line(stage=Stage.TRAIN, done=50, total=200, *, round_number=1, ended=False, seconds=48.0, **fields):
    fields = {"unit": "steps", "remaining_seconds": 75.0, "metrics": TRAINING, "updated_at": 0.0} | fields
    report = ProgressReport(stage=stage, done=done, total=total, **fields)
    return StageLine(round_number, stage, seconds, ended, report)


ROLLOUT = line(Stage.ROLLOUT, 3448, 3448, unit="answers", ended=True, seconds=22.4, metrics={})
VERIFY = line(Stage.VERIFY, 3448, 3448, unit="answers", ended=True, seconds=1.0, metrics={})


def screen(lines, width):
    """The table as text, line by line."""
    console = Console(
        file=StringIO(), force_terminal=True, color_system=None, width=width, legacy_windows=False
    )
    console.print(stage_table(lines, width))
    return [re.sub(r"[━╸╺]+", "=", text.rstrip()) for text in console.file.getvalue().splitlines()]


def terminal(*, no_color=False):
    return Console(
        no_color=no_color,
        file=StringIO(),
        force_terminal=True,
        width=100,
        color_system="standard",
        legacy_windows=False,
    )


def pipe():
    return Console(file=StringIO(), force_terminal=False, width=80)


def shown(console):
    return console.file.getvalue()


def test_finished_stages_stay_with_count_and_time_and_the_current_one_has_rate_and_time_left():
    texts = [" ".join(text.split()) for text in screen([ROLLOUT, VERIFY, line()], 140)]
    assert texts == [
        "rollout = 3,448/3,448 answers done in 0:22",
        "verify = 3,448/3,448 answers done in 0:01",
        "train = 50/200 steps 2.0/s 1:15 left reward 0.81 live groups 41% reflection 4.1 tok",
    ]


def test_a_narrow_terminal_has_the_figures_of_the_current_stage_below():
    texts = screen([ROLLOUT, VERIFY, line()], 80)
    assert all(len(text) <= 80 for text in texts)
    assert texts[-2].endswith("2.0/s  1:15 left")
    assert texts[-1].strip() == "reward 0.81  live groups 41%  reflection 4.1 tok"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 118, 200])
def test_no_width_breaks_a_line(width):
    lines = [ROLLOUT, VERIFY, line(message="m" * 200)]
    texts = screen(lines, width)
    assert all(len(text) <= width for text in texts)
    assert len(texts) <= len(lines) + 1


def test_the_bar_is_as_long_as_the_share():
    def filled(done):
        console = terminal(no_color=True)
        console.print(stage_table([line(done=done, total=100)], 100))
        return shown(console).count("\u2501")

    assert [filled(done) for done in (0, 25, 75, 100)] == [0, 6, 18, 24]


def test_a_terminal_shows_the_newest_state_and_keeps_it_at_the_end():
    console = terminal()
    with Display(console) as display:
        display.progress([ROLLOUT, line(done=50)])
        display.event(NOW, "Normal", "CheckpointSaved", "step 50")
        display.progress([ROLLOUT, line(done=200, ended=True, seconds=192.0)])
    text = ESCAPE.sub("", shown(console))
    assert "CheckpointSaved          step 50" in text
    last = text[text.rindex("rollout") :]
    assert "3,448/3,448 answers" in last
    assert "200/200 steps" in last
    assert "done in 3:12" in last


def test_a_round_that_is_over_is_printed_once():
    console = terminal()
    before = [line(Stage.ROLLOUT, 8, 8, ended=True, unit="answers")]
    later = line(Stage.ROLLOUT, 1, 8, round_number=2, unit="answers")
    with Display(console) as display:
        display.progress(before)
        for _ in range(3):
            display.progress([*before, later])
    text = ESCAPE.sub("", shown(console))
    assert text.count("round 1") == 1
    assert "8/8 answers" not in text[text.rindex("1/8 answers") :]


def test_a_pipe_gets_plain_lines_now_and_then(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    console = pipe()
    with Display(console) as display:
        for done in range(60):
            clock[0] = float(done)
            display.progress([ROLLOUT, line(done=done)])
        display.progress([ROLLOUT, line(done=200, ended=True)])
    assert shown(console).splitlines() == [
        f"          train: {done}/200 steps, 75 s left  reward 0.81  live groups 41%  reflection 4.1 tok"
        for done in (15, 30, 45)
    ]


def test_a_pipe_gets_no_escape_codes_and_no_broken_lines():
    console = pipe()
    with Display(console) as display:
        display.progress([ROLLOUT, VERIFY, line()])
        display.event(NOW, "Warning", "AttemptRestarted", "w" * 300)
        display.line("stopping")
    assert "\x1b" not in shown(console)
    (event, stopping) = shown(console).splitlines()
    assert event.endswith(f"AttemptRestarted (warning) {'w' * 300}")
    assert stopping == "stopping"


def test_a_warning_says_so_in_words_and_in_colour():
    console = terminal()
    Display(console).event(NOW, "Warning", "AttemptRestarted", "why")
    assert "\x1b[33m" in shown(console)
    assert "AttemptRestarted (warning)" in shown(console)
    console = terminal(no_color=True)
    Display(console).event(NOW, "Warning", "AttemptRestarted", "why")
    assert "\x1b" not in shown(console)


@pytest.mark.parametrize("text", ["[red]not markup[/red]", "[/]", "a [b] c", ":smile:"])
def test_text_is_never_markup(text):
    console = terminal()
    with Display(console) as display:
        display.event(NOW, "Normal", "Failed", text)
        display.progress([line(message=text)])
    plain = ESCAPE.sub("", shown(console))
    assert plain.count(text) >= 2
