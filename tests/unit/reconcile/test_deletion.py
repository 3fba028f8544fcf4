"""A resource that is deleted with deletionPolicy Delete: what is stopped, created, said, and when it may go."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.conditions import ConditionType
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.status import Phase, ReflectionTrainingStatus
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.deletion import FINALIZER, WAY_OUT, finalizers
from reflection_operator.reconcile.observed import JobState, Observed, PodPhase, Refusal, Waiting

from .builders import (
    FOLDER,
    T0,
    complete,
    crashed,
    created,
    decided,
    failed,
    job,
    look,
    pod,
    resource,
    said,
    said_of,
    status_at,
    status_of,
    succeeded,
    told,
)

CLEANUP = (1, Stage.CLEANUP, 1, 0)


def held(status: ReflectionTrainingStatus | None = None, **spec):
    """A resource that somebody has deleted."""
    return resource(status, deleted=True, finalizers=[FINALIZER], **{"deletionPolicy": "Delete"} | spec)


@given(st.lists(st.sampled_from(["a/b", "c/d", FINALIZER]), unique=True), st.booleans())
def test_only_our_own_finalizer_comes_and_goes(before, delete):
    run = resource(finalizers=before, deletionPolicy="Delete" if delete else "Retain")
    after = finalizers(run)
    assert [name for name in after if name != FINALIZER] == [name for name in before if name != FINALIZER]
    assert (FINALIZER in after) is delete
    again = run.model_copy(update={"metadata": run.metadata.model_copy(update={"finalizers": after})})
    assert finalizers(again) == after


def test_none_is_put_on_what_is_deleted_or_somebody_elses():
    assert finalizers(resource(deleted=True, deletionPolicy="Delete")) == []
    other = "kueue.x-k8s.io/multikueue"
    assert finalizers(resource(managedBy=other, deletionPolicy="Delete")) == []
    assert finalizers(resource(managedBy=other, finalizers=[FINALIZER])) == [FINALIZER]


def test_without_the_finalizer_a_deleted_resource_is_left_alone():
    status = status_at(Stage.TRAIN)
    at_work = job(Stage.TRAIN)
    decision = decided(resource(status, deleted=True), [at_work], [pod(at_work)])
    assert (decision.status, decision.create, decision.delete) == (status, (), ())
    assert not decision.let_go


def test_what_is_alive_is_stopped_first():
    at_work = job(Stage.TRAIN)
    decision = decided(held(status_at(Stage.TRAIN)), [at_work], [pod(at_work)])
    assert (decision.delete, decision.create, decision.let_go) == ((at_work.name,), (), False)
    assert status_of(decision).phase is Phase.DELETING
    lingering = decided(held(status_of(decision)), [], [pod(at_work)])
    assert lingering.create == ()
    assert (
        f"waiting for pod {pod(at_work).name} on node node-1"
        in said_of(lingering, ConditionType.READY).message
    )


def test_then_a_job_deletes_the_artefacts_and_the_resource_goes():
    begun = decided(held(status_at(Stage.TRAIN)))
    assert created(begun) == [CLEANUP]
    assert told(begun) == ["Deleting"]
    at_work = job(Stage.CLEANUP)
    going = decided(held(status_of(begun)), [at_work], [pod(at_work)])
    assert (going.create, going.delete, going.events, going.let_go) == ((), (), (), False)
    done = complete(Stage.CLEANUP)
    over = decided(held(status_of(going)), [done], [succeeded(done, objects=12)])
    assert over.let_go
    assert over.delete == (done.name,)
    assert [(event.reason, event.message) for event in over.events] == [
        ("ArtifactsDeleted", f"12 objects below {FOLDER}")
    ]


def test_the_first_look_at_a_run_without_a_status_does_the_same():
    assert created(decided(held())) == [CLEANUP]


def test_a_failure_is_said_and_tried_again_without_end():
    status = status_of(decided(held(status_at(Stage.TRAIN))))
    at = 0.0
    for attempt in range(1, 12):
        broken = failed(Stage.CLEANUP, attempt)
        words = said(Stage.CLEANUP, "Failed", "StorageUnavailable", "s3://team: no answer")
        dead = crashed(broken, 75, message=words, at=at)
        decision = decided(held(status, failurePolicy={"maxRestarts": 0}), [broken], [dead], at=at)
        assert (decision.create, decision.let_go) == ((), False)
        assert told(decision) == ["StorageUnavailable"]
        ready = said_of(decision, ConditionType.READY)
        assert (ready.status, ready.reason) == ("False", "StorageUnavailable")
        for part in ("s3://team: no answer", f"attempt {attempt + 1} at ", WAY_OUT, FOLDER):
            assert part in ready.message
        status = status_of(decision)
        assert status.current is not None
        assert status.current.retry_at is not None
        wait = (status.current.retry_at - T0).total_seconds() - at
        assert 60 <= wait <= 300
        at += wait
        again = decided(held(status), [broken], [dead], at=at)
        assert created(again) == [(1, Stage.CLEANUP, attempt + 1, attempt)]
        status = status_of(again)
    assert len(status.to_json().encode()) < 10_000


def test_a_missing_permission_is_tried_again_too():
    """For a stage it would be final; here somebody may grant it."""
    broken = failed(Stage.CLEANUP)
    words = said(Stage.CLEANUP, "Failed", "StorageDenied", "access denied (403) for s3:DeleteObject")
    decision = decided(held(), [broken], [crashed(broken, 78, message=words)], at=100)
    assert told(decision) == ["StorageDenied"]
    message = said_of(decision, ConditionType.READY).message
    assert message.endswith(f"; grant the permission named in the message; {WAY_OUT}")
    assert decision.look_again == timedelta(seconds=10)


def test_a_pod_that_cannot_start_is_explained():
    at_work = job(Stage.CLEANUP)
    waiting = Waiting("CreateContainerConfigError", 'secret "s3-creds" not found')
    stuck = pod(at_work, phase=PodPhase.PENDING, waiting=waiting)
    ready = said_of(decided(held(), [at_work], [stuck]), ConditionType.READY)
    assert ready.reason == "SecretNotFound"
    assert "create the Secret" in ready.message
    assert WAY_OUT in ready.message


def test_a_job_that_the_api_server_refuses_is_explained():
    seen = look(held())
    refusal = Refusal(job(Stage.CLEANUP).name, "exceeded quota: pods")
    decision = decide(Observed(seen.resource, (), (), None, seen.now, refusal))
    ready = said_of(decision, ConditionType.READY)
    assert (ready.reason, created(decision)) == ("ChildRefused", [CLEANUP])
    assert "exceeded quota: pods" in ready.message
    assert WAY_OUT in ready.message


def test_who_sets_the_policy_back_waits_no_longer():
    at_work = job(Stage.CLEANUP)
    decision = decided(held(deletionPolicy="Retain"), [at_work], [pod(at_work)])
    assert (decision.let_go, decision.delete, decision.create) == (True, (at_work.name,), ())


@pytest.mark.parametrize("stage", [Stage.ROLLOUT, Stage.REPORT])
def test_a_terminal_condition_stays(stage):
    status = status_at(stage)
    before = [each for each in status.conditions if each.type == ConditionType.SUCCEEDED]
    decision = decided(held(status))
    after = [each for each in status_of(decision).conditions if each.type == ConditionType.SUCCEEDED]
    assert after == before


def test_an_end_that_is_seen_before_its_pod_is_not_judged():
    status = status_of(decided(held()))
    broken = failed(Stage.CLEANUP, finished_at=T0)
    decision = decided(held(status), [broken], [pod(broken)], at=1)
    assert (decision.status, decision.create, decision.let_go) == (status, (), False)
    assert decision.look_again == timedelta(seconds=1)


def test_a_run_that_is_not_deleted_is_never_at_the_clean_up():
    """Whoever writes that into its status, or puts such a Job beside it, does not stop it."""
    status = status_of(decided(held()))
    decision = decided(resource(status), [job(Stage.CLEANUP)])
    assert created(decision) == [(1, Stage.ROLLOUT, 1, 0)]


def test_looking_twice_says_nothing_new():
    begun = decided(held(status_at(Stage.TRAIN)))
    again = decided(held(status_of(begun)))
    assert (again.status, again.events) == (begun.status, ())
    json.loads(status_of(again).to_json())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Stage), st.integers(1, 2), st.sampled_from(JobState), st.sampled_from(PodPhase)
        ),
        max_size=5,
        unique_by=lambda drawn: drawn[:2],
    ),
    st.sampled_from(["Retain", "Delete"]),
    st.sampled_from([None, *RUN_STAGES]),
    st.sampled_from([1, 60, 7200]),
)
def test_whatever_is_seen_nothing_is_deleted_beside_a_writer_and_nothing_goes_too_soon(
    drawn, policy, stage, at
):
    jobs = [job(kind, attempt, state=state, finished_at=T0) for kind, attempt, state, _ in drawn]
    pods = [pod(each, phase=phase) for each, (*_, phase) in zip(jobs, drawn, strict=True)]
    run = held(stage and status_at(stage), deletionPolicy=policy)
    decision = decided(run, jobs, pods, at=at)
    if decision.create:
        assert not any(each.live for each in jobs)
        assert all(each.ended for each in pods)
    if decision.let_go:
        done = [each for each in jobs if each.stage is Stage.CLEANUP and each.state is JobState.COMPLETE]
        assert policy == "Retain" or done
        assert decision.delete == tuple(each.name for each in jobs if each.stage is Stage.CLEANUP)
        return
    assert policy == "Delete"
    assert decision.look_again is not None
    again = decided(run.model_copy(update={"status": decision.status}), jobs, pods, at=at)
    assert (again.status, again.events, again.create) == (decision.status, (), decision.create)
