"""What a line about a stage says, by Jobs, reports and clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from reflection_operator.local.stages import StageLine, clock, stage_lines
from reflection_operator.reconcile.reports import merged

from ..reconcile.builders import after, complete, failed, job


def report(stage=Stage.ROLLOUT, done=0, total=1600, **fields):
    fields = {"unit": "answers", "updated_at": after(60).timestamp()} | fields
    return ProgressReport(stage=stage, done=done, total=total, **fields)


def line_of(at_work, given_report=None, *, at=60, **fields):
    (line,) = stage_lines([at_work], {at_work.name: given_report}, after(at), **fields)
    return line


def test_before_the_first_report():
    line = line_of(job(Stage.TRAIN), at=12)
    found = (line.share, line.count, line.rate, line.time, line.note)
    assert found == (None, "starting", "", "since 0:12", "")


def test_while_it_is_at_work():
    line = line_of(
        job(Stage.ROLLOUT), report(done=400, remaining_seconds=30.0, metrics={"tokensPerSecond": 1234.5})
    )
    assert (line.share, line.count) == (0.25, "400/1,600 answers")
    assert (line.rate, line.time) == ("40/s", "0:30 left")
    assert line.note == "1,234 tok/s"


def test_the_time_left_is_counted_down_between_reports():
    given_report = report(Stage.TRAIN, 1, 4, unit="steps", remaining_seconds=90.0)
    lines = [line_of(job(Stage.TRAIN), given_report, at=at) for at in (60, 85, 500)]
    assert [line.time for line in lines] == ["1:30 left", "1:05 left", "0:00 left"]
    assert {line.rate for line in lines} == {"30.0 s each"}


@pytest.mark.parametrize(("left", "words"), [(6.0, "2.0 s each"), (3.0, "1.0/s"), (0.3, "10/s"), (0.0, "")])
def test_slow_rates_are_told_in_more_detail(left, words):
    assert line_of(job(Stage.TRAIN), report(Stage.TRAIN, 1, 4, remaining_seconds=left)).rate == words


def test_when_it_is_done():
    done = complete(Stage.TRAIN, finished_at=after(192))
    metrics = {"reward": 0.81, "deadGroupShare": 0.59, "reflectionTokens": 4.07, "entropy": 2.0}
    line = line_of(
        done, report(Stage.TRAIN, 250, 250, unit="steps", message="saving", metrics=metrics), at=9000
    )
    assert line.done
    assert (line.share, line.count, line.rate, line.time) == (1.0, "250/250 steps", "", "done in 3:12")
    assert line.note == "reward 0.81  live groups 41%  reflection 4.1 tok"


def test_a_stage_that_counts_nothing_is_done_all_the_same():
    line = line_of(complete(Stage.REPORT, finished_at=after(1)))
    assert (line.share, line.count, line.time, line.note) == (1.0, "", "done in 0:01", "")


def test_a_failed_attempt_says_when_the_next_one_begins():
    down = failed(Stage.TRAIN, finished_at=after(30))
    line = line_of(down, report(Stage.TRAIN, 3, 4, remaining_seconds=9.0), at=40, retry_at=after(48))
    assert (line.share, line.rate, line.time, line.note) == (
        0.75,
        "",
        "failed in 0:30",
        "starts again in 0:08",
    )
    assert line_of(down, at=40).note == ""


def test_the_attempts_of_a_stage_are_one_line():
    jobs = [job(Stage.TRAIN, 2, created_at=after(100)), failed(Stage.TRAIN, finished_at=after(30))]
    (line,) = stage_lines(jobs, {jobs[0].name: report(Stage.TRAIN, 2, 4)}, after(105))
    assert (line.seconds, line.done, line.failed) == (35.0, False, False)
    assert line.count == "2/4 answers"


def test_lines_stand_in_the_order_of_the_loop():
    jobs = [
        complete(Stage.EVALUATE, finished_at=after(4)),
        job(Stage.ROLLOUT, round_number=2),
        complete(Stage.VERIFY, finished_at=after(2)),
        complete(Stage.ROLLOUT, finished_at=after(1)),
    ]
    found = [(line.round, line.stage) for line in stage_lines(jobs, {}, after(9))]
    assert found == [(1, Stage.ROLLOUT), (1, Stage.VERIFY), (1, Stage.EVALUATE), (2, Stage.ROLLOUT)]


def test_the_words_of_a_report_cannot_move_the_cursor():
    hostile = "\x1b[2J\x1b[31mred\r\nnext \u202eback"
    line = line_of(job(Stage.ROLLOUT), report(done=1, message=hostile, unit="a\x1b[0m\n"))
    assert line.note == "[2J[31mred next back"
    assert line.count == "1/1,600 a[0m"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.none() | st.floats(0, 1e9))
def test_any_counts_make_a_line(done, total, left):
    line = line_of(job(Stage.ROLLOUT), report(done=done, total=total, remaining_seconds=left))
    assert line.share is None or 0 <= line.share <= 1
    assert all(isinstance(text, str) for text in (line.count, line.rate, line.time, line.note))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.9, "0:00"), (8, "0:08"), (754, "12:34"), (3723, "1:02:03")]
)
def test_a_clock(seconds, words):
    assert clock(seconds) == words


def test_workers_add_up_and_the_slowest_says_how_long():
    parts = [
        report(done=10, total=100, remaining_seconds=5.0, metrics={"tokensPerSecond": 1.0}),
        report(
            done=30,
            total=100,
            index=1,
            remaining_seconds=50.0,
            updated_at=after(61).timestamp(),
            message="newest",
        ),
        report(done=0, total=100, index=2),
    ]
    total = merged([part.to_dict() for part in parts])
    assert (total.done, total.total, total.remaining_seconds, total.message) == (40, 300, 50.0, "newest")


@pytest.mark.parametrize("reports", [[], [{"done": 1}], ["text", None, 3]])
def test_what_is_no_report_does_not_count(reports):
    assert merged(reports) is None
    assert merged([*reports, report(done=1).to_dict()]).done == 1


def test_a_line_without_anything():
    assert StageLine(1, Stage.ROLLOUT, 0.0, done=False).time == "since 0:00"
