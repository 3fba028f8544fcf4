"""What is shown of a status: stages with their times, facts, the course of the reward."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import (
    CheckpointStatus,
    Cursor,
    DatasetStatus,
    Phase,
    ProgressStatus,
    ReflectionTrainingStatus,
)
from reflection_operator.remote.overview import facts, headline, sparkline, stages

from ..reconcile.builders import T0, after, complete, decided, job, pod, resource, status_of, succeeded

METADATA = resource().metadata.model_copy(update={"creation_timestamp": T0})


def training(**fields) -> ReflectionTrainingStatus:
    """A run that was 60 s in the rollout, 40 s in verify, and is at training since."""
    status = None
    for stage, following, at in (
        (Stage.ROLLOUT, Stage.VERIFY, 60),
        (Stage.VERIFY, Stage.TRAIN, 100),
    ):
        at_work = job(stage)
        status = status_of(decided(resource(status), [at_work], [pod(at_work)], at=at - 30))
        done = complete(stage, finished_at=after(at))
        ended = succeeded(done, attempts=8.0, failures=5.0)
        status = status_of(decided(resource(status), [done], [ended], at=at))
        assert status.current is not None
        assert status.current.stage is following
    at_work = job(Stage.TRAIN)
    status = status_of(decided(resource(status), [at_work], [pod(at_work)], at=101))
    return status.model_copy(update=fields)


def test_each_stage_has_its_time() -> None:
    lines = stages(METADATA, training(start_time=T0), after(130))
    assert [(line.stage.value, line.time) for line in lines] == [
        ("rollout", "done in 1:00"), ("verify", "done in 0:40"), ("train", "since 0:30"),
    ]  # fmt: skip
    assert [line.done for line in lines] == [True, True, False]
    assert lines[-1].count == "at work"


def test_the_current_stage_has_its_progress_and_the_course_of_its_reward() -> None:
    progress = ProgressStatus(
        step=40, total_steps=100, percentage=40, estimated_remaining_seconds=90, last_updated_time=after(120)
    )
    status = training(progress=progress, metrics={"reward": 0.5})
    *_, line = stages(METADATA, status, after(130), [0.1, 0.3, 0.5])
    assert (line.count, line.share, line.time) == ("40/100 steps", 0.4, "1:20 left")
    assert line.note.split() == [sparkline([0.1, 0.3, 0.5]), "reward", "0.50"]


def test_a_failed_run_ends_with_the_stage_that_failed() -> None:
    status = training(phase=Phase.FAILED, completion_time=after(110))
    *_, line = stages(METADATA, status, after(500))
    assert (line.failed, line.time) == (True, "failed in 0:10")


@pytest.mark.parametrize("status", [ReflectionTrainingStatus(), ReflectionTrainingStatus(
    current=Cursor(round=1, stage=Stage.CLEANUP, attempt=1)
)])  # fmt: skip
def test_what_has_no_stage_shows_none(status: ReflectionTrainingStatus) -> None:
    assert stages(METADATA, status, T0) == []


def test_the_first_line_says_which_run_and_what_it_does() -> None:
    assert headline(METADATA, ReflectionTrainingStatus(), 1) == "ml/countdown: not seen by an operator yet"
    assert headline(METADATA, training(), 3) == "ml/countdown: Training, round 1 of 3"


def test_facts() -> None:
    status = training(
        dataset=DatasetStatus(uri="s3://team/v", failures=96_114, attempts=143_201),
        checkpoint=CheckpointStatus(uri="s3://team/c", step=400, saved_at=after(0)),
        restarts=1,
        restarts_count_towards_max=1,
        notes={"rollout": "fewer rows than the limit\x1b[2J"},
    )
    found = dict(facts(status, 3, after(185)))
    assert found["dataset"] == "96,114 failures of 143,201 attempts: s3://team/v"
    assert found["checkpoint"] == "step 400, 3:05 ago: s3://team/c"
    assert found["restarts"] == "1 restart; 1 of 3 count at this stage"
    assert found["note"] == "rollout: fewer rows than the limit[2J"
    assert found["now"].startswith(f"{Reason.PROGRESSING}: round 1 of 1, train")


@given(st.lists(st.floats(0, 1), max_size=60))
@example([0.0, 5e-324])
@example([-1.7e308, 1.7e308])
def test_a_sparkline_rises_where_the_values_do(values: list[float]) -> None:
    line = sparkline(values)
    shown = values[-24:]
    assert len(line) == (len(shown) if len(shown) > 1 else 0)
    for first, second, low, high in zip(shown, shown[1:], line, line[1:], strict=False):
        assert (low <= high) if first <= second else (low >= high)


def test_an_old_run_counts_no_negative_time() -> None:
    lines = stages(METADATA, training(start_time=after(1000)), T0 - timedelta(days=1))
    assert all(line.seconds >= 0 for line in lines)
