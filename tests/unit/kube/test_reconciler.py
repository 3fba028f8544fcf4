"""Carrying a decision out against an API server that refuses, forgets to answer, or has moved on."""

from __future__ import annotations

import contextlib
import itertools
import json
from datetime import datetime, timedelta, tzinfo

import pytest
from reflection_operator.kube import reconciler
from reflection_operator.kube.children import ChildRefused, NamespaceEnding
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.kinds import CONFIG_MAPS, EVENTS, JOBS, RUN_STATUS, RUNS, Kind
from reflection_operator.kube.reconciler import Stale
from reflection_operator.reconcile.deletion import FINALIZER

from .objects import UID, run
from .server import HELD, Bench, always, once, refusal, with_artefacts

JOB = "countdown-1a2b3c4d-r1-rollout-1"


def test_the_first_look_writes_the_status_before_it_creates_anything() -> None:
    bench = Bench()
    bench.look()
    assert bench.server.log == [
        "update reflectiontrainings/status", "create configmaps", "create jobs", "create events", "create events",
    ]  # fmt: skip
    assert bench.reasons() == ["Accepted", "RolloutJobCreated"]


def test_a_second_look_at_the_same_writes_nothing() -> None:
    bench = Bench()
    bench.look()
    bench.look()  # tells that the Job is there
    before = len(bench.server.log)
    bench.look()
    assert len(bench.server.log) == before


def test_own_writes_are_known_at_once() -> None:
    bench = Bench()
    bench.look()
    view = bench.store.view(UID)
    assert view is not None
    assert view.run.version == int(
        bench.server.objects[RUNS.path("ml", "countdown")]["metadata"]["resourceVersion"]
    )
    assert list(view.jobs) == [JOB]


def test_a_change_by_somebody_else_drops_the_decision() -> None:
    bench = Bench()
    bench.server.touch()
    with pytest.raises(Stale):
        bench.look()
    assert bench.count("create jobs") == 0
    bench.look()
    assert bench.count("create jobs") == 1


def test_nothing_is_created_from_an_old_resource_although_its_status_stays() -> None:
    bench = Bench()
    bench.server.before = always(ConnectionResetError(), "create", CONFIG_MAPS)
    with pytest.raises(ConnectionResetError):
        bench.look()
    bench.server.before = lambda *_: None
    bench.server.touch()
    with pytest.raises(Stale):
        bench.look()
    assert bench.count("create jobs") == 0


@pytest.mark.parametrize(
    ("verb", "kind"), [("update", RUN_STATUS), ("create", CONFIG_MAPS), ("create", JOBS), ("create", EVENTS)]
)
def test_a_lost_answer_changes_nothing_in_the_end(verb: str, kind: Kind) -> None:
    bench = Bench()
    bench.server.after = once(ConnectionResetError("reset"), verb, kind)
    for _ in range(4):
        try:
            bench.look()
        except ConnectionResetError:
            continue
    assert sorted(path.rsplit("/", 2)[-2] for path in bench.server.objects) == [
        "configmaps", "events", "events", "jobs", "reflectiontrainings",
    ]  # fmt: skip


def test_a_resource_that_is_gone_is_forgotten() -> None:
    bench = Bench()
    bench.reconciler._restoring._last[UID] = {}
    bench.server.objects.clear()
    with pytest.raises(Stale):
        bench.look()
    assert bench.look() is None
    assert bench.store.keys() == []
    assert bench.reconciler._restoring._last == {}


def test_a_refused_child_is_said_in_the_status_and_its_start_is_told_when_it_is_there() -> None:
    bench = Bench()
    bench.server.before = always(refusal(422, "Invalid", "spec.env: Invalid value"), "create", JOBS)
    for _ in range(3):
        with pytest.raises(ChildRefused):
            bench.look()
    assert (bench.ready()["status"], bench.ready()["reason"]) == ("False", "ChildRefused")
    assert bench.reasons() == ["Accepted", "ChildRefused"]
    bench.server.before = lambda *_: None
    bench.look()
    bench.look()
    assert bench.ready()["status"] == "True"
    assert bench.reasons() == ["Accepted", "ChildRefused", "RolloutJobCreated"]


def lost(bench: Bench, *requests: tuple[str, Kind]) -> None:
    """No request of these is answered any more, whether it is carried out or not."""

    def trouble(asked: str, of: Kind) -> None:
        if (asked, of) in requests:
            raise ConnectionResetError("reset")

    bench.server.after = trouble
    bench.server.before = lambda asked, of: trouble(asked, of) if asked == "get" else None


def heard_again(bench: Bench) -> None:
    bench.server.before = bench.server.after = lambda *_: None


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (0, 30), (30, 0), (30, 1)])
def test_what_was_written_without_an_answer_is_told_once_it_is_seen(
    monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    """Each look decides on a status of a later second. Those before the one that was written were not carried out, and those
    after it came too late.
    """
    seconds = itertools.count(1)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 8, 1, 12, tzinfo=tz) + timedelta(seconds=next(seconds))

    monkeypatch.setattr(reconciler, "datetime", Clock)
    bench = Bench()
    bench.server.before = always(ConnectionResetError(), "update", RUN_STATUS)
    for look in range(before + 1 + after):
        if look == before:
            lost(bench, ("update", RUN_STATUS), ("get", RUNS))
        with pytest.raises(ConnectionResetError):
            bench.look()
    heard_again(bench)
    bench.store.put(RUNS, bench.server.objects[RUNS.path("ml", "countdown")])
    bench.look()
    bench.look()
    assert sorted(bench.reasons()) == ["Accepted", "RolloutJobCreated"]


def test_a_job_that_was_created_without_an_answer_is_told_of_once_it_is_seen() -> None:
    bench = Bench()
    lost(bench, ("create", JOBS), ("get", JOBS))
    with pytest.raises(ConnectionResetError):
        bench.look()
    assert bench.reasons() == ["Accepted"]
    heard_again(bench)
    bench.store.put(JOBS, bench.server.objects[JOBS.path("ml", JOB)])
    bench.look()
    bench.look()
    assert sorted(bench.reasons()) == ["Accepted", "RolloutJobCreated"]


def test_where_everything_is_being_deleted_nothing_is_wrong() -> None:
    bench = Bench()
    body = b'{"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}'
    bench.server.before = always(ApiError("x", 403, body, {}), "create", CONFIG_MAPS)
    with pytest.raises(NamespaceEnding):
        bench.look()


def test_the_finalizer_is_there_before_anything_is_created() -> None:
    bench = Bench(with_artefacts())
    bench.server.after = once(ConnectionResetError("reset"), "patch", RUNS)
    with pytest.raises(ConnectionResetError):
        bench.look()
    with pytest.raises(Stale):
        bench.look()
    bench.look()
    assert bench.server.log[:4] == [
        "patch reflectiontrainings", "patch reflectiontrainings", "get reflectiontrainings",
        "update reflectiontrainings/status",
    ]  # fmt: skip
    stored = bench.server.objects[RUNS.path("ml", "countdown")]
    assert stored["metadata"]["finalizers"] == [FINALIZER]


def test_a_held_resource_gets_its_clean_up_and_a_second_operator_takes_it_for_its_own() -> None:
    bench = Bench(with_artefacts(**HELD))
    bench.server.after = once(ConnectionResetError("reset"), "create", JOBS)
    bench.look()
    again = Bench(bench.server.objects[RUNS.path("ml", "countdown")])
    again.server.objects |= bench.server.objects
    again.look()
    assert [path.rsplit("/", 1)[-1] for path in again.server.objects if "/jobs/" in path] == [
        "countdown-1a2b3c4d-r1-cleanup-1"
    ]


def test_a_clean_ups_name_that_is_taken_is_told() -> None:
    bench = Bench(with_artefacts(**HELD))
    name = "countdown-1a2b3c4d-r1-cleanup-1"
    bench.server.objects[JOBS.path("ml", name)] = {"metadata": {"name": name, "uid": "foreign"}}
    with pytest.raises(ChildRefused, match=f'Job "{name}" exists and does not belong to this run'):
        bench.look()


def test_a_namespace_that_is_being_deleted_does_not_wait_for_artefacts() -> None:
    bench = Bench(with_artefacts(**HELD))
    body = b'{"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}'
    bench.server.before = always(ApiError("x", 403, body, {}), "create", JOBS)
    for _ in range(3):
        with contextlib.suppress(NamespaceEnding, Stale):
            bench.look()
    stored = bench.server.objects[RUNS.path("ml", "countdown")]
    assert stored["metadata"]["finalizers"] == ["example.com/other"]


def workers_of(bench: Bench) -> tuple[int, int]:
    """What the pods are told, and how many of them the Job has."""
    told = json.loads(bench.server.objects[CONFIG_MAPS.path("ml", JOB)]["data"]["stage.json"])
    return told["rollout"]["workers"], bench.server.objects[JOBS.path("ml", JOB)]["spec"]["completions"]


def test_pods_are_told_what_their_job_is_made_for_where_the_spec_changes_before_it_is_there() -> None:
    bench = Bench()
    bench.server.before = always(refusal(403, "Forbidden", "exceeded quota"), "create", JOBS)
    with pytest.raises(ChildRefused):
        bench.look()
    changed = bench.server.objects[RUNS.path("ml", "countdown")]
    changed["spec"] |= {"rollout": {"workers": 3}}
    changed["metadata"] |= {"generation": 2, "resourceVersion": "1000"}
    bench.store.put(RUNS, changed)
    bench.server.before = lambda *_: None
    bench.look()
    assert workers_of(bench) == (3, 3)
    assert bench.count("delete configmaps") == 1


def test_pods_at_work_keep_what_they_were_told() -> None:
    """Their Job is there, and only this operator does not see it yet."""
    bench = Bench()
    bench.look()
    before = bench.server.objects[CONFIG_MAPS.path("ml", JOB)]
    before["data"] = {"stage.json": "of an older version"}
    at_work = bench.server.objects[JOBS.path("ml", JOB)]["metadata"]
    bench.store.remove(JOBS, at_work["uid"], int(at_work["resourceVersion"]))
    bench.look()
    assert bench.count("create configmaps") == 2
    assert bench.server.objects[CONFIG_MAPS.path("ml", JOB)]["data"] == before["data"]


def test_what_may_not_be_made_anew_is_said() -> None:
    """The operator is newer than its role."""
    bench = Bench()
    bench.server.before = always(refusal(403, "Forbidden", "exceeded quota"), "create", JOBS)
    with pytest.raises(ChildRefused):
        bench.look()
    bench.server.objects[CONFIG_MAPS.path("ml", JOB)]["data"] = {"stage.json": "of an older spec"}
    bench.server.before = always(refusal(403, "Forbidden", "cannot delete configmaps"), "delete", CONFIG_MAPS)
    for _ in range(2):
        with pytest.raises(ChildRefused):
            bench.look()
    assert "cannot delete configmaps" in bench.ready()["message"]


def test_a_foreign_object_is_named() -> None:
    bench = Bench()
    bench.server.objects[CONFIG_MAPS.path("ml", JOB)] = {"metadata": {"name": JOB, "uid": "foreign"}}
    with pytest.raises(ChildRefused, match=f'ConfigMap "{JOB}" exists and does not belong to this run'):
        bench.look()


def test_an_event_that_cannot_be_posted_stops_nothing() -> None:
    bench = Bench()
    bench.server.before = always(refusal(403, "Forbidden"), "create", EVENTS)
    bench.look()
    assert bench.reasons() == []
    assert bench.count("create jobs") == 1


def test_a_resource_of_another_controller_is_left_alone_also_where_it_is_not_understood() -> None:
    bench = Bench()
    foreign = run(6)
    foreign["spec"] |= {"rounds": "many", "managedBy": "kueue.x-k8s.io/multikueue"}
    bench.server.objects[RUNS.path("ml", "countdown")] = foreign
    bench.store.put(RUNS, foreign)
    assert bench.look() is None
    assert bench.server.log == []


def test_a_resource_that_is_not_understood_is_told_so() -> None:
    bench = Bench()
    broken = run(6)
    broken["spec"]["rounds"] = "many"
    bench.server.objects[RUNS.path("ml", "countdown")] = broken
    bench.store.put(RUNS, broken)
    bench.look()
    bench.look()
    assert (bench.ready()["status"], bench.ready()["reason"]) == ("False", "InvalidSpec")
    assert 'spec.rounds: "many" is text' in bench.ready()["message"]
    assert bench.server.log == ["update reflectiontrainings/status"]
