"""What is said when a child cannot be created."""

from __future__ import annotations

from dataclasses import replace

from reflection_api.conditions import ConditionType
from reflection_api.layout import child_name
from reflection_api.stages import Stage
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.decision import Decision
from reflection_operator.reconcile.observed import Refusal

from .builders import (
    NAME,
    UID,
    created,
    decided,
    job,
    look,
    resource,
    said_of,
    status_of,
    told,
    truth,
)

ROLLOUT = child_name(NAME, UID, 1, Stage.ROLLOUT, 1)


def refused(message: str = 'spec.env[0].name: Invalid value: "A B"', job_name: str = ROLLOUT) -> Decision:
    first = status_of(decided(resource()))
    return decide(replace(look(resource(first)), refusal=Refusal(job_name, message)))


def test_a_refusal_is_said_and_the_creation_tried_again() -> None:
    decision = refused()
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", "ChildRefused")
    assert 'Invalid value: "A B"' in ready.message
    assert "the run goes on by itself" in ready.message
    assert truth(decision, ConditionType.RECONCILING) == "True"
    assert truth(decision, ConditionType.STALLED) == "absent"
    assert created(decision) == [(1, Stage.ROLLOUT, 1, 0)]
    assert told(decision) == ["ChildRefused"]


def test_a_child_that_is_wrong_stalls_the_run_until_its_spec_is_changed() -> None:
    first = status_of(decided(resource()))
    wrong = Refusal(ROLLOUT, 'spec.env[0].name: Invalid value: "A B"', invalid=True)
    decision = decide(replace(look(resource(first)), refusal=wrong))
    assert truth(decision, ConditionType.STALLED) == "True"
    assert truth(decision, ConditionType.RECONCILING) == "absent"
    assert said_of(decision, ConditionType.STALLED).message == said_of(decision, ConditionType.READY).message
    assert created(decision) == [(1, Stage.ROLLOUT, 1, 0)], "another spec is tried as soon as it is there"
    assert told(decision) == ["ChildRefused"]
    stalled = resource(status_of(decision))
    assert told(decide(replace(look(stalled), refusal=wrong))) == []
    over = decide(look(stalled, [job(Stage.ROLLOUT)]))
    assert truth(over, ConditionType.STALLED) == "absent"


def test_it_is_said_once() -> None:
    status = status_of(refused())
    again = decide(
        replace(look(resource(status)), refusal=Refusal(ROLLOUT, 'spec.env[0].name: Invalid value: "A B"'))
    )
    assert told(again) == []
    assert again.status == status


def test_it_is_over_when_the_job_is_there() -> None:
    status = status_of(refused())
    decision = decide(replace(look(resource(status), [job(Stage.ROLLOUT)]), refusal=Refusal(ROLLOUT, "old")))
    assert truth(decision, ConditionType.READY) == "True"


def test_the_refusal_of_another_attempt_says_nothing() -> None:
    assert truth(refused(job_name=child_name(NAME, UID, 1, Stage.ROLLOUT, 2)), ConditionType.READY) == "True"


def test_a_refusal_is_hostile_text() -> None:
    """Admission webhooks and policies say what they like."""
    message = said_of(refused("x\n\x1b[31m" + "y" * 10_000), ConditionType.READY).message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 1500
