"""What is said of a resource that is not understood. It is a status like any other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.conditions import Condition, ConditionType
from reflection_api.reasons import Reason
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.status import Cursor, Phase, ReflectionTrainingStatus
from reflection_operator.reconcile.conditions import has_ended, stage_told
from reflection_operator.reconcile.deletion import FINALIZER
from reflection_operator.reconcile.misunderstood import misunderstood
from reflection_operator.reconcile.size import MAX_BYTES

from .builders import T0, after, decided, resource, status_of
from .test_size import full

KSTATUS = ("Ready", "Reconciling", "Stalled")
INVALID = {"Ready": ("False", "InvalidSpec"), "Stalled": ("True", "InvalidSpec")}
STAGES = ("RolloutsComplete", "FailuresVerified", "TrainingComplete", "EvaluationComplete")


def conditions() -> st.SearchStrategy[Condition]:
    """Of ours and of a newer operator's."""
    return st.builds(
        lambda **fields: Condition(**fields),
        type=st.sampled_from([*map(str, ConditionType), *(f"Newer{number}" for number in range(16))]),
        status=st.sampled_from(["True", "False", "Unknown"]),
        reason=st.sampled_from([str(reason) for reason in Reason if reason is not Reason.NO_FAILURES]),
        message=st.text(max_size=300),
        last_transition_time=st.just(T0),
        observed_generation=st.integers(0, 7),
    )


def test_a_resource_that_is_not_understood_is_stalled_and_not_ended() -> None:
    before = status_of(decided(resource()))
    status = misunderstood(
        resource(generation=4).metadata, before, "spec.rounds: 'many': no number", after(9)
    )
    kinds = {each.type: each for each in status.conditions}
    assert (kinds["Ready"].status, kinds["Stalled"].status, kinds["Succeeded"].status) == (
        "False",
        "True",
        "Unknown",
    )
    assert "Reconciling" not in kinds
    assert kinds["Stalled"].reason == "InvalidSpec"
    assert kinds["Stalled"].message.startswith("spec.rounds: 'many': no number; ")
    assert (status.observed_generation, status.current) == (4, before.current)
    assert (
        misunderstood(resource(generation=4).metadata, status, "spec.rounds: 'many': no number", after(99))
        == status
    )
    assert status.phase == before.phase
    others = {each.type: each for each in before.conditions if each.type not in KSTATUS}
    assert {kind: kinds[kind] for kind in others} == others


def test_a_first_status_that_is_not_understood_has_all_that_a_first_status_has() -> None:
    ordinary = status_of(decided(resource()))
    status = misunderstood(resource().metadata, None, "spec.rounds: 'many': no number", T0)
    others = {each.type: (each.status, each.reason) for each in ordinary.conditions} | INVALID
    assert {each.type: (each.status, each.reason) for each in status.conditions} == others
    assert (status.phase, status.current, status.observed_generation) == ("Pending", None, 1)


@settings(max_examples=100)
@given(
    found=st.lists(conditions(), max_size=16, unique_by=lambda each: each.type),
    at=st.none() | st.sampled_from(RUN_STAGES),
    problem=st.text(max_size=2000),
    large=st.booleans(),
)
def test_whatever_the_status_was_all_conditions_are_there_and_it_fits(
    found: list[Condition], at: Stage | None, problem: str, large: bool
) -> None:
    before = full("\N{GRINNING FACE}", 1200) if large else ReflectionTrainingStatus()
    cursor = Cursor(round=2, stage=at, attempt=3) if at else None
    before = before.model_copy(update={"conditions": found, "current": cursor, "phase": Phase.TRAINING})
    status = misunderstood(resource(generation=7).metadata, before, problem, T0)
    if has_ended(found):
        assert status == before
        return
    assert len(status.to_json().encode()) <= MAX_BYTES
    assert ReflectionTrainingStatus.model_validate(status.to_dict()) == status, "the API server takes it"
    kinds = {each.type: each for each in status.conditions}
    assert set(kinds) >= set(ConditionType) - {ConditionType.RECONCILING}
    assert len(kinds) == len(status.conditions)
    assert {kind: (kinds[kind].status, kinds[kind].reason) for kind in INVALID} == INVALID
    kept = {each.type: each.status for each in found if each.type in set(ConditionType) - set(KSTATUS)}
    assert {kind: kinds[kind].status for kind in kept} == kept
    assert (status.phase, status.current) == (before.phase, before.current)
    if not any(kind in STAGES for kind in kept):
        assert stage_told(status.conditions) in (at or Stage.ROLLOUT, Stage.REPORT)
    again = status
    for _ in range(3):
        again, last = misunderstood(resource(generation=7).metadata, again, problem, after(60)), again
    assert again == last, "it is written once more for ever"


def test_an_ended_run_stays_as_it_ended() -> None:
    ended = status_of(decided(resource(activeDeadlineSeconds=1), at=0))
    ended = status_of(decided(resource(ended, activeDeadlineSeconds=1), at=60))
    assert {each.type: each.status for each in ended.conditions}["Succeeded"] == "False"
    assert misunderstood(resource().metadata, ended, "x", T0) == ended


def test_one_that_is_being_deleted_says_how_it_can_go() -> None:
    """Nobody can tell which artefacts are to go with it. That holds for one that has ended, too."""
    for before in (
        None,
        status_of(decided(resource(status_of(decided(resource(), at=0)), activeDeadlineSeconds=1), at=60)),
    ):
        metadata = resource().metadata.model_copy(
            update={"deletion_timestamp": T0, "finalizers": [FINALIZER]}
        )
        status = misunderstood(metadata, before, "spec.rounds: 'many': no number", after(99))
        ready = next(each for each in status.conditions if each.type == "Ready")
        assert (ready.status, ready.reason) == ("False", "InvalidSpec")
        assert ready.message.endswith(
            f"correct the field, or take the finalizer {FINALIZER} away to keep them"
        )
        succeeded = next(each for each in status.conditions if each.type == "Succeeded")
        assert succeeded.status == ("False" if before else "Unknown")
