"""Figures of a step: what they count, and that each step's line stands in the file once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.train.meter import Counts, Meter
from reflection_trainer.train.metrics import (
    MetricsFile,
    read_metrics,
    step_figures,
    step_line,
    summary,
)
from reflection_trainer.train.reflect_retry import Sample


def figures_of(groups):
    meter = Meter()
    meter.count_groups(groups)
    return step_figures(meter.finish_step())


@pytest.mark.parametrize(
    ("groups", "dead", "wrong", "right"),
    [
        ([[0, 1], [1, 0]], 0, 0, 0),
        ([[0, 0], [1, 0]], 0.5, 0.5, 0),
        ([[0, 0], [1, 1]], 1, 0.5, 0.5),
        ([[1, 1], [1, 1], [0, 1], [0, 0]], 0.75, 0.25, 0.5),
        ([[0.5, 0.5], [0, 0.5]], 0.5, 0, 0),
    ],
)
def test_dead_groups_are_those_that_earned_the_same(groups, dead, wrong, right):
    found = figures_of(groups)
    names = ("groups", "deadGroupShare", "allWrongShare", "allRightShare")
    assert [found[name] for name in names] == [len(groups), dead, wrong, right]


rewards = st.integers(2, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=size, max_size=size), min_size=1
    )
)


@given(rewards)
def test_the_reward_is_the_mean_of_all_that_were_sampled(groups):
    everything = [reward for group in groups for reward in group]
    assert figures_of(groups)["reward"] == pytest.approx(sum(everything) / len(everything))
    assert figures_of(groups)["deadGroupShare"] >= figures_of(groups)["allWrongShare"]


def test_figures_are_of_all_processes_together():
    one = Counts(
        rows=4,
        retries=4,
        truncated=1,
        leaks=2,
        reflection_tokens=40,
        retry_tokens=8,
        seconds_step=2,
        seconds_reflect=1,
        processes=1,
    )
    two = Counts(
        rows=4,
        retries=4,
        truncated=0,
        leaks=0,
        reflection_tokens=20,
        retry_tokens=4,
        seconds_step=4,
        seconds_reflect=2,
        processes=1,
    )
    both = Counts.from_list([a + b for a, b in zip(one.to_list(), two.to_list(), strict=True)])
    figures = step_figures(both)
    assert figures["reflectionTokens"] == 60 / 8
    assert figures["truncatedShare"] == 1 / 8
    assert figures["leakShare"] == 2 / 8
    assert figures["tokensRetry"] == 12
    assert (figures["seconds"], figures["secondsReflect"], figures["secondsUpdate"]) == (3, 1.5, 1.5)


def sample(tokens, finished=True):
    return Sample([1], [2] * tokens, "", finished)


def test_a_meter_starts_each_step_from_nothing():
    meter = Meter()
    with meter.phase("reflect"):
        meter.count_samples([sample(6, finished=False), sample(4)], [sample(1), sample(1)])
    meter.count_leaks(1)
    first, second = meter.finish_step(), meter.finish_step()
    assert (first.rows, first.truncated, first.leaks, first.reflection_tokens, first.retry_tokens) == (
        2,
        1,
        1,
        10,
        2,
    )
    assert 0 < first.seconds_reflect <= first.seconds_step
    assert second.to_list()[:-2] == [0] * (len(second.to_list()) - 2)


def test_what_is_not_a_number_is_left_out():
    line = step_line(
        3, {"loss": float("nan"), "entropy": 0.5, "grad_norm": None, "other": 1}, {"seconds": float("inf")}
    )
    assert line == {"step": 3, "entropy": 0.5}


def write(path, *steps):
    file = MetricsFile(path)
    for step in steps:
        file.append({"step": step, "reward": 0.1})
    return file


def test_lines_after_the_step_that_training_resumes_from_are_dropped(tmp_path):
    file = write(tmp_path / "metrics.jsonl", 1, 2, 3, 4)
    file.restart(2)
    file.append({"step": 3, "reward": 0.9})
    assert [(line["step"], line["reward"]) for line in read_metrics(file.path)] == [
        (1, 0.1),
        (2, 0.1),
        (3, 0.9),
    ]


def test_a_line_that_was_cut_off_is_not_there(tmp_path):
    file = write(tmp_path / "metrics.jsonl", 1)
    with file.path.open("a") as text:
        text.write('{"step": 2, "rew')
    assert [line["step"] for line in read_metrics(file.path)] == [1]
    file.restart(1)
    write(file.path, 2)
    assert [line["step"] for line in read_metrics(file.path)] == [1, 2]


def test_numbers_are_short_and_steps_whole(tmp_path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.append({"step": 1234567, "loss": 1 / 3})
    assert file.path.read_text() == '{"step": 1234567, "loss": 0.333333}\n'


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["loss", "reward", "kl"]), st.floats(allow_nan=False, allow_infinity=False)
        )
    )
)
def test_every_line_is_json_that_reads_back(tmp_path_factory, lines):
    file = MetricsFile(tmp_path_factory.mktemp("metrics") / "metrics.jsonl")
    for step, line in enumerate(lines):
        file.append({"step": step, **line})
    assert [list(line) for line in read_metrics(file.path)] == [["step", *line] for line in lines]


def test_headlines_are_the_mean_of_the_last_tenth():
    lines = [{"step": step, "reward": step / 100, "seconds": 2.0} for step in range(1, 101)]
    found = summary(lines)
    assert found["reward"] == pytest.approx(sum(range(91, 101)) / 10 / 100)
    assert (found["steps"], found["seconds"]) == (100, 200.0)
    assert "kl" not in found


def test_a_training_without_steps_has_no_figures():
    assert summary([]) == {"steps": 0, "seconds": 0}
