"""What somebody has written into a status: not believed where the rest of it or a Job says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import ROUND_STAGES, RUN_STAGES, Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus, Verdict

from .builders import (
    after,
    changed,
    complete,
    crashed,
    created,
    cursor_of,
    decided,
    failed,
    job,
    pod,
    resource,
    said_of,
    status_at,
    status_of,
    succeeded,
    truth,
)

WON = Verdict(succeeded=True, reason="Completed", message="written by hand")
LOST = Verdict(succeeded=False, reason="TrainerCrashed", message="written by hand")
MISSED = Verdict(succeeded=False, reason="GateFailed", message="written by hand")
BEFORE = {
    Stage.VERIFY: {"attempts": 80.0, "failures": 50.0},
    Stage.EVALUATE: {"gain": 0.1},
}


def at(stage: Stage, attempt: int = 1) -> Cursor:
    return Cursor(round=1, stage=stage, attempt=attempt)


def ended(status: ReflectionTrainingStatus, verdict: Verdict, **update: Any) -> ReflectionTrainingStatus:
    """A status into which somebody has written an end."""
    truths = {ConditionType.SUCCEEDED: str(verdict.succeeded)}
    conditions = [
        each.model_copy(update={"status": truths.get(each.type, each.status)}) for each in status.conditions
    ]
    return changed(status, conditions=conditions, verdict=verdict, completion_time=after(0), **update)


def test_a_failure_for_another_reason_than_is_on_record_is_not_believed():
    """The attempt of that number may have begun again after its Job was deleted."""
    rollout = failed(Stage.ROLLOUT)
    status = status_of(decided(resource(), [rollout], [crashed(rollout)], at=70))
    again = changed(status, current=at(Stage.ROLLOUT))
    at_work = job(Stage.ROLLOUT)
    for reason, over in (("Completed", False), (status.attempts[0].reason, True)):
        verdict = Verdict(succeeded=False, reason=reason, message="written by hand")
        decision = decided(resource(ended(again, verdict)), [at_work], [pod(at_work)], at=80)
        assert truth(decision, ConditionType.SUCCEEDED) == ("False" if over else "Unknown")


FAR = datetime.max.replace(tzinfo=UTC)


def test_a_start_that_is_still_to_come_is_now():
    """Nothing can be added to the last of all times, and a deadline would never strike."""
    run = resource(changed(status_at(Stage.TRAIN), start_time=FAR), activeDeadlineSeconds=600)
    training = job(Stage.TRAIN)
    healed = status_of(decided(run, [training], [pod(training)], at=100))
    assert healed.start_time == after(100)


def test_a_stage_that_is_still_to_begin_has_begun_now():
    status = status_at(Stage.TRAIN)
    ahead = changed(status, current=changed(status.current, started_at=FAR))
    training = job(Stage.TRAIN)
    healed = status_of(decided(resource(ahead), [training], [pod(training)], at=100))
    assert healed.current.started_at == after(100)


@pytest.mark.parametrize("time", [FAR, None], ids=["still to come", "taken away"])
def test_an_end_at_no_time_that_was_is_now(time):
    run = resource(status_at(Stage.REPORT, verdict=WON), ttlSecondsAfterFinished=600)
    over = status_of(decided(run, [complete(Stage.REPORT)], at=100))
    ahead = resource(changed(over, completion_time=time), ttlSecondsAfterFinished=600)
    decision = decided(ahead, [complete(Stage.REPORT)], at=1000)
    assert (status_of(decision).completion_time, decision.delete_resource) == (after(1000), False)
    assert decision.look_again == timedelta(seconds=600)


def jobs_before(stage: Stage) -> list[Any]:
    return [complete(each) for each in ROUND_STAGES[: RUN_STAGES.index(stage)]]


def backing_off(stage: Stage) -> ReflectionTrainingStatus:
    """A run whose first attempt at a stage has failed."""
    down = failed(stage)
    return status_of(
        decided(resource(status_at(stage)), [*jobs_before(stage), down], [crashed(down)], at=100)
    )


def resting(stage: Stage) -> ReflectionTrainingStatus:
    """A run that was suspended in a stage."""
    aside = decided(resource(status_at(stage), suspend=True), [*jobs_before(stage), job(stage)], at=100)
    rests = decided(resource(status_of(aside), suspend=True), jobs_before(stage), at=110)
    assert truth(rests, ConditionType.SUSPENDED) == "True"
    return status_of(rests)


OTHER_STAGES = [(stage, forged) for stage in ROUND_STAGES for forged in RUN_STAGES if forged is not stage]


@pytest.mark.parametrize(("stage", "forged"), OTHER_STAGES)
def test_a_stage_that_the_conditions_beside_it_do_not_tell_of_is_lost_in_a_back_off(stage, forged):
    before = backing_off(stage)
    run = resource(changed(before, current=at(forged)))
    decision = decided(run, [*jobs_before(stage), failed(stage)], at=105)
    assert cursor_of(decision) == (1, stage, 2, 1)
    # The attempt is found again by its Job, and is not counted or told twice.
    status = status_of(decision)
    assert (status.restarts, status.attempts) == (1, before.attempts)
    assert created(decision) == []


def test_an_attempt_that_is_found_again_failed_as_it_is_on_record():
    """Its pod is gone by then: nothing else is left that tells of the eviction."""
    down, run = failed(Stage.TRAIN, 4, restarts=3), resource(status_at(Stage.TRAIN, 4, restarts=3))
    before = status_of(decided(run, [down], [crashed(down, 143, disrupted="drained")], at=100))
    decision = decided(resource(changed(before, current=at(Stage.EVALUATE))), [down], at=105)
    assert cursor_of(decision) == (1, Stage.TRAIN, 5, 3)
    assert status_of(decision).attempts == before.attempts


@pytest.mark.parametrize(("stage", "forged"), OTHER_STAGES)
def test_and_so_it_is_in_a_suspension(stage, forged):
    run = resource(changed(resting(stage), current=at(forged), verdict=WON), suspend=True)
    decision = decided(run, jobs_before(stage), at=200)
    assert cursor_of(decision)[:2] == (1, stage)
    assert truth(decision, ConditionType.SUSPENDED) == "True"
    resumed = decided(resource(status_of(decision)), jobs_before(stage), at=300)
    assert created(resumed) == [(1, stage, 1, 0)]


def test_conditions_that_somebody_took_away_leave_the_stage_as_it_is():
    status = backing_off(Stage.TRAIN)
    for kept in ([], status.conditions[:5]):
        decision = decided(resource(changed(status, conditions=kept)), jobs_before(Stage.TRAIN), at=105)
        assert cursor_of(decision) == (1, Stage.TRAIN, 2, 1)


def test_conditions_that_contradict_each_other_do_so_too():
    status = backing_off(Stage.EVALUATE)
    conditions = [
        each.model_copy(update={"status": "False"}) if each.type == ConditionType.ROLLOUTS_COMPLETE else each
        for each in status.conditions
    ]
    decision = decided(resource(changed(status, conditions=conditions)), [], at=105)
    assert cursor_of(decision) == (1, Stage.EVALUATE, 2, 1)
    assert truth(decision, ConditionType.ROLLOUTS_COMPLETE) == "True"


@pytest.mark.parametrize("stage", ROUND_STAGES)
@pytest.mark.parametrize("verdict", [WON, LOST, MISSED], ids=lambda verdict: verdict.reason)
def test_a_verdict_before_the_report_is_none(stage, verdict):
    at_work = job(stage)
    run = resource(changed(status_at(stage), verdict=verdict), activeDeadlineSeconds=3600)
    decision = decided(run, [at_work], [pod(at_work)], at=60)
    assert status_of(decision).verdict is None
    assert said_of(decision, ConditionType.EVALUATION_COMPLETE).reason != verdict.reason
    late = said_of(decided(run, [at_work], [pod(at_work)]), ConditionType.SUCCEEDED)
    assert (late.status, late.reason) == ("False", "DeadlineExceeded")


@pytest.mark.parametrize(
    ("stage", "figures", "reason"),
    [(Stage.EVALUATE, {"gain": 0.3}, "Completed"), (Stage.EVALUATE, {"gain": 0.1}, "GateFailed"),
     (Stage.VERIFY, {"attempts": 8.0, "failures": 0.0}, "NoFailures")],
)  # fmt: skip
def test_the_verdict_of_a_report_that_is_due_is_that_of_the_figures(stage, figures, reason):
    gates, done, due = {"gates": {"minGain": 0.2}}, complete(stage), job(Stage.REPORT)
    moved = decided(
        resource(status_at(stage), evaluation=gates), [done], [succeeded(done, **figures)], at=3600
    )
    right = status_of(moved).verdict
    assert right.reason == reason
    for forged in (WON, MISSED, LOST, None):
        run = resource(changed(status_of(moved), verdict=forged), evaluation=gates)
        decision = decided(run, [done, due], [succeeded(done, **figures), pod(due)], at=3605)
        assert status_of(decision).verdict == right
        over = decided(run, [done, complete(Stage.REPORT)], [succeeded(done, **figures)], at=3660)
        assert said_of(over, ConditionType.SUCCEEDED).reason == reason
        # Where the figures are gone, it is what the status says, and no gate is passed that nobody saw.
        kept = decided(run, [done, due], [pod(due)], at=3605)
        assert status_of(kept).verdict == forged


@pytest.mark.parametrize("stage", ROUND_STAGES)
@pytest.mark.parametrize("verdict", [WON, LOST, MISSED], ids=lambda verdict: verdict.reason)
@pytest.mark.parametrize("moved", [False, True])
def test_an_end_of_a_run_that_is_at_work_is_none(stage, verdict, moved):
    """Wherever somebody has moved the stage as well."""
    update = {"current": at(Stage.REPORT)} if moved else {}
    run = resource(ended(status_at(stage), verdict, **update), ttlSecondsAfterFinished=0)
    at_work = job(stage)
    decision = decided(run, [*jobs_before(stage), at_work], [pod(at_work)])
    assert cursor_of(decision)[:2] == (1, stage)
    assert truth(decision, ConditionType.SUCCEEDED) == "Unknown"
    assert (status_of(decision).verdict, status_of(decision).completion_time) == (None, None)
    assert (decision.delete, decision.delete_resource) == ((), False)


@pytest.mark.parametrize("verdict", [WON, LOST, MISSED], ids=lambda verdict: verdict.reason)
def test_nor_is_one_in_a_back_off_of_which_no_attempt_is_on_record(verdict):
    run = resource(ended(backing_off(Stage.TRAIN), verdict))
    decision = decided(run, [*jobs_before(Stage.TRAIN), failed(Stage.TRAIN)], at=105)
    assert (cursor_of(decision), truth(decision, ConditionType.SUCCEEDED)) == (
        (1, Stage.TRAIN, 2, 1),
        "Unknown",
    )


@pytest.mark.parametrize(("said", "verdict"), [("True", LOST), ("False", WON)], ids=["True", "False"])
def test_an_end_in_two_ways_is_none(said, verdict):
    over = status_of(decided(resource(status_at(Stage.REPORT, verdict=WON)), [complete(Stage.REPORT)]))
    conditions = [
        each.model_copy(update={"status": said}) if each.type == ConditionType.SUCCEEDED else each
        for each in over.conditions
    ]
    evaluated = complete(Stage.EVALUATE)
    run = resource(changed(over, conditions=conditions, verdict=verdict))
    decision = decided(
        run, [evaluated, complete(Stage.REPORT)], [succeeded(evaluated, **BEFORE[Stage.EVALUATE])]
    )
    assert truth(decision, ConditionType.SUCCEEDED) == "True"
    assert status_of(decision).verdict.message != "written by hand"


def by_failing():
    down = failed(Stage.TRAIN, 2)
    return decided(
        resource(status_at(Stage.TRAIN, 2)), [*jobs_before(Stage.TRAIN), down], [crashed(down, 78)]
    )


def by_the_deadline():
    at_work = job(Stage.TRAIN, 2)
    run = resource(status_at(Stage.TRAIN, 2), activeDeadlineSeconds=60)
    return decided(run, [*jobs_before(Stage.TRAIN), at_work], [pod(at_work)])


def by_a_report(verdict: Verdict):
    return lambda: decided(resource(status_at(Stage.REPORT, verdict=verdict)), [complete(Stage.REPORT)])


@pytest.mark.parametrize("end", [by_failing, by_the_deadline, by_a_report(WON), by_a_report(MISSED)])
def test_an_end_stays_one_whatever_is_still_seen_of_the_jobs(end):
    """They may be read late, be gone, or come back."""
    over = end()
    succeeded_before = said_of(over, ConditionType.SUCCEEDED)
    assert succeeded_before.status != "Unknown"
    for jobs in (
        [],
        [job(Stage.TRAIN, 2)],
        [*jobs_before(Stage.TRAIN), job(Stage.TRAIN, 2)],
        [job(Stage.ROLLOUT)],
    ):
        later = decided(resource(status_of(over)), jobs, at=7200)
        assert said_of(later, ConditionType.SUCCEEDED) == succeeded_before
        assert later.create == ()
        assert later.delete == tuple(each.name for each in jobs if each.live)


def test_an_end_whose_records_were_cut_stays_one():
    over = changed(status_of(by_failing()), attempts=[])
    jobs = [*jobs_before(Stage.TRAIN), failed(Stage.TRAIN, 2)]
    assert truth(decided(resource(over), jobs, at=7200), ConditionType.SUCCEEDED) == "False"
    assert truth(decided(resource(over), [], at=7200), ConditionType.SUCCEEDED) == "False"
