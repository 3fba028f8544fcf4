"""What the stage says after its processes have ended, by whatever they left."""

from __future__ import annotations

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import StageFailure
from reflection_trainer.train.order import Outcome, WorkOrder, checkpoint_step, read_outcomes, write_file
from reflection_trainer.train.outcome import StoppedEarly, conclude
from reflection_trainer.train.stage import _leave_where_nothing_is_done

from .contexts import config

DONE = Outcome(ended="completed", step=10, note="2 of 9 failures are left out")
STOPPED = Outcome(ended="interrupted", step=4)
FAILED = Outcome(ended="failed", reason="InvalidModel", message="no chat template", exit_code=78)


def end(*outcomes, processes=1, exit_code=0, out_of_memory=False):
    return conclude(
        outcomes, processes=processes, exit_code=exit_code, out_of_memory=out_of_memory, max_steps=10
    )


def failure(*outcomes, **kwargs):
    with pytest.raises(StageFailure) as raised:
        end(*outcomes, **kwargs)
    return raised.value


def test_a_training_that_ended_is_complete():
    assert end(DONE) == DONE
    assert end(DONE, DONE, processes=2) == DONE


def test_what_one_process_alone_has_to_say_is_not_lost():
    quiet = DONE.model_copy(update={"note": ""})
    assert end(quiet, DONE, processes=2) == DONE
    assert end(quiet, quiet, processes=2) == quiet


def test_a_training_that_was_stopped_says_what_is_saved():
    found = failure(STOPPED, STOPPED, processes=2)
    assert (found.reason, found.exit_code) == (Reason.DISRUPTED, 143)
    assert found.message == "stopped on request after step 4 of 10, which is saved"


def test_a_stop_ends_at_once_what_has_nothing_to_save(tmp_path):
    order = WorkOrder(
        config=config(tmp_path, maxSteps=10),
        node=0,
        policy=tmp_path,
        failures=tmp_path,
        resume_from=tmp_path / "checkpoint-9",
        output=tmp_path,
        control=tmp_path,
    )
    _leave_where_nothing_is_done(order)
    order.stop_file.touch()
    with pytest.raises(StoppedEarly):
        _leave_where_nothing_is_done(order)
    _leave_where_nothing_is_done(order.model_copy(update={"resume_from": tmp_path / "checkpoint-10"}))
    order.begun.touch()
    _leave_where_nothing_is_done(order)


def test_a_failure_keeps_its_own_words_reason_and_exit_code():
    found = failure(FAILED, exit_code=1)
    assert (found.reason, found.exit_code, found.message) == (Reason.INVALID_MODEL, 78, "no chat template")


def test_of_several_failures_the_first_is_the_cause(tmp_path):
    order = WorkOrder(
        config=config(tmp_path), node=0, policy=tmp_path, failures=tmp_path, output=tmp_path, control=tmp_path
    )
    crash = Outcome(ended="failed", reason="TrainerCrashed", message="connection reset by peer", at=20.0)
    cause = FAILED.model_copy(update={"at": 10.0})
    write_file(order.outcome_file(0), crash.to_json())
    write_file(order.outcome_file(1), cause.to_json())
    assert failure(*read_outcomes(order), processes=2, exit_code=1).message == "no chat template"


@pytest.mark.parametrize("left", [[], [DONE]])
def test_a_process_without_a_word_was_killed(left):
    found = failure(*left, processes=len(left) + 1, exit_code=1)
    assert (found.reason, found.exit_code) == (Reason.TRAINER_CRASHED, 137)
    assert "ended without a word (exit code 1 of the launcher)" in found.message


def test_a_process_that_was_killed_for_memory_is_told_apart():
    found = failure(DONE, processes=2, exit_code=1, out_of_memory=True)
    assert (found.reason, found.exit_code) == (Reason.OUT_OF_MEMORY, 137)
    assert found.message.startswith(
        "1 of 2 training processes was killed for memory; lower spec.training.microBatchSize"
    )


def test_a_kill_for_memory_elsewhere_does_not_fail_a_training_that_ended():
    assert end(DONE, out_of_memory=True) == DONE


def test_the_step_of_a_checkpoint_stands_in_its_name(tmp_path):
    assert checkpoint_step(tmp_path / "checkpoint-120") == 120
    assert checkpoint_step(None) == 0


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "new" / "file.json"
    write_file(target, "one")
    write_file(target, "two")
    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]
