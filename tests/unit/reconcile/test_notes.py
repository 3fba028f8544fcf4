"""Notes: what a stage says beside its figures reaches the events and the status."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import StageResult
from reflection_api.stages import Stage
from reflection_operator.reconcile.notes import noted
from reflection_operator.reconcile.observed import PodPhase, Terminated

from .builders import FOLDER, complete, decided, pod, resource, said, status_at, status_of

LIMIT = "spec.task.prompts.limit is 400, train.jsonl has 40 rows: all are used"
TOO_LONG = "12 second tries count as wrong because their conversation has no room in the model's context: lower a limit"


def ended(job, message, index=0, **metrics):
    end = Terminated(exit_code=0, message=said(job.stage, message=message, metrics=metrics))
    return pod(job, index, phase=PodPhase.SUCCEEDED, terminated=end)


def first_event(stage, message, round_number=1, rounds=1, notes=None, **metrics):
    """What is told of a stage that has just ended, and the notes of the run."""
    job = complete(stage, round_number=round_number)
    status = status_at(stage, round_number=round_number).model_copy(update={"notes": notes or {}})
    decision = decided(resource(status, rounds=rounds), [job], [ended(job, message, **metrics)])
    return decision.events[0].message, status_of(decision).notes


def test_a_limit_beyond_the_data_is_told_once_for_all_workers():
    job = complete(Stage.ROLLOUT, completions=2)
    pods = [
        ended(job, f"{count} answers in 1 shards; {LIMIT}", index, attempts=count)
        for index, count in enumerate((80, 64))
    ]
    decision = decided(resource(status_at(Stage.ROLLOUT)), [job], pods)
    assert decision.events[0].reason == "RolloutsComplete"
    assert decision.events[0].message == f"144 answers; {LIMIT}"
    assert status_of(decision).notes == {"rollout": LIMIT}


def test_a_stage_without_a_note_says_none():
    assert first_event(Stage.ROLLOUT, "160 answers in 4 shards", attempts=160) == ("160 answers", {})


@pytest.mark.parametrize(("count", "words"), [(1, "1 duplicate"), (1200, "1,200 duplicates")])
def test_duplicates_that_were_left_out(count, words):
    told, notes = first_event(Stage.VERIFY, "any", attempts=4000, failures=1000, duplicates=count)
    assert told == f"4,000 attempts, 1,000 failures (25%); {words} left out -> {FOLDER}/round-1/verify"
    assert notes == {"verify": f"{words} left out"}
    assert first_event(Stage.VERIFY, "any", attempts=4000, failures=1000, duplicates=0)[1] == {}


def test_failures_that_training_leaves_out():
    note = "3 of 96 failures are left out: too long; lower the limits"
    told, notes = first_event(Stage.TRAIN, note, reward=0.5)
    assert told == f"the model is written; {note}"
    assert notes == {"train": note}


@pytest.mark.parametrize("rounds", [1, 2])
def test_second_tries_that_had_no_room(rounds):
    """Also where the next round begins at once."""
    told, notes = first_event(
        Stage.EVALUATE, f"10 held-out questions, 50 answers; {TOO_LONG}", rounds=rounds, gain=0.1
    )
    assert told == f"{TOO_LONG}; {FOLDER}/round-1/evaluate/result.json"
    assert notes == {"evaluate": TOO_LONG}


def test_a_round_replaces_the_notes_of_the_one_before():
    notes = {"rollout": "old", "train": "old, too"}
    for message, left in (
        ("8 answers", {"train": "old, too"}),
        ("8 answers; new", notes | {"rollout": "new"}),
    ):
        assert first_event(Stage.ROLLOUT, message, 2, 2, notes, attempts=8)[1] == left


def test_notes_stay_while_the_run_goes_on():
    job = complete(Stage.ROLLOUT)
    decision = decided(
        resource(status_at(Stage.ROLLOUT)), [job], [ended(job, f"8 answers; {LIMIT}", attempts=8)]
    )
    later = decided(resource(status_of(decision)), [job, complete(Stage.VERIFY)], [])
    assert status_of(later).notes == {"rollout": LIMIT}
    assert not any(LIMIT in event.message for event in later.events)


@given(st.sampled_from(list(Stage)), st.text(max_size=1024))
def test_any_message_leaves_a_line_that_fits(stage, message):
    result = StageResult(stage=stage, outcome="Succeeded", reason="Completed", message=message)
    for note in noted({}, stage, [result]).values():
        assert note
        assert len(note.encode()) <= 480
        assert "\n" not in json.loads(json.dumps(note))
