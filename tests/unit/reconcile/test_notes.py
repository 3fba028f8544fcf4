"""Notes: what a stage says beside its figures reaches the events and the status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import StageResult
from reflection_api.stages import Stage
from reflection_operator.reconcile.notes import noted

from .builders import FOLDER, complete, decided, resource, status_at, status_of, succeeded

LIMIT = "spec.task.prompts.limit is 400, train.jsonl has 40 rows: all are used"
TOO_LONG = "12 second tries count as wrong because their conversation has no room in the model's context: lower a limit"


def first_event(stage, note, round_number=1, rounds=1, notes=None, **metrics):
    """What is told of a stage that has just ended, and the notes of the run."""
    job = complete(stage, round_number=round_number)
    status = status_at(stage, round_number=round_number).model_copy(update={"notes": notes or {}})
    decision = decided(resource(status, rounds=rounds), [job], [succeeded(job, 0, note, **metrics)])
    return decision.events[0].message, status_of(decision).notes


def test_a_limit_beyond_the_data_is_told_once_for_all_workers():
    job = complete(Stage.ROLLOUT, completions=2)
    pods = [succeeded(job, index, LIMIT, attempts=count) for index, count in enumerate((80, 64))]
    decision = decided(resource(status_at(Stage.ROLLOUT)), [job], pods)
    assert decision.events[0].reason == "RolloutsComplete"
    assert decision.events[0].message == f"144 answers; {LIMIT}"
    assert status_of(decision).notes == {"rollout": LIMIT}


def test_a_stage_without_a_note_says_none():
    assert first_event(Stage.ROLLOUT, "", attempts=160) == ("160 answers", {})


def test_duplicates_that_were_left_out():
    told, notes = first_event(Stage.VERIFY, "6 duplicates left out", attempts=4000, failures=1000)
    assert told == f"4,000 attempts, 1,000 failures (25%); 6 duplicates left out -> {FOLDER}/round-1/verify"
    assert notes == {"verify": "6 duplicates left out"}


def test_what_another_stage_said_is_not_told_of_this_one():
    """Where the status was lost, several conditions become true at once."""
    job = complete(Stage.VERIFY)
    decision = decided(
        resource(), [job], [succeeded(job, 0, "6 duplicates left out", attempts=80, failures=50)]
    )
    told = {event.reason: event.message for event in decision.events}
    assert told["RolloutsComplete"] == "80 answers"
    assert "6 duplicates left out" in told["FailuresDatasetWritten"]


def test_failures_that_training_leaves_out():
    note = "3 of 96 failures are left out: too long; lower the limits"
    told, notes = first_event(Stage.TRAIN, note, reward=0.5)
    assert told == f"the model is written; {note}"
    assert notes == {"train": note}


@pytest.mark.parametrize("rounds", [1, 2])
def test_second_tries_that_had_no_room(rounds):
    """Also where the next round begins at once."""
    told, notes = first_event(Stage.EVALUATE, TOO_LONG, rounds=rounds, gain=0.1)
    assert told == f"{TOO_LONG}; {FOLDER}/round-1/evaluate/result.json"
    assert notes == {"evaluate": TOO_LONG}


def test_a_round_replaces_the_notes_of_the_one_before():
    notes = {"rollout": "old", "train": "old, too"}
    for note, left in (
        ("", {"train": "old, too"}),
        ("new", notes | {"rollout": "new"}),
    ):
        assert first_event(Stage.ROLLOUT, note, 2, 2, notes, attempts=8)[1] == left


def test_notes_stay_while_the_run_goes_on():
    job = complete(Stage.ROLLOUT)
    decision = decided(resource(status_at(Stage.ROLLOUT)), [job], [succeeded(job, 0, LIMIT, attempts=8)])
    later = decided(resource(status_of(decision)), [job, complete(Stage.VERIFY)], [])
    assert status_of(later).notes == {"rollout": LIMIT}
    assert not any(LIMIT in event.message for event in later.events)


def test_a_round_whose_words_are_lost_does_not_repeat_those_of_the_one_before():
    job = complete(Stage.ROLLOUT, round_number=2)
    status = status_at(Stage.ROLLOUT, round_number=2).model_copy(update={"notes": {"rollout": "old"}})
    decision = decided(resource(status, rounds=2), [job], [])
    assert status_of(decision).notes == {}
    assert decision.events[0].message == "all shards are written"


@given(st.sampled_from(list(Stage)), st.lists(st.text(max_size=1024), max_size=4))
def test_any_words_of_pods_leave_a_line_that_fits(stage, words):
    parts = [StageResult(stage=stage, outcome="Succeeded", reason="Completed", note=each) for each in words]
    for note in noted({}, stage, parts).values():
        assert note
        assert len(note.encode()) <= 480
        assert "\n" not in note
