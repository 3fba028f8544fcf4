"""The store: the newest version wins, whatever the order, and what is gone stays gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import ProgressReport
from reflection_operator.kube.kinds import JOBS, PODS, RUNS, Kind
from reflection_operator.kube.store import Store, View

from .objects import UID, job, pod, run

OTHER = "99999999-0000-4000-8000-000000000002"


def filled() -> tuple[Store, list[str]]:
    changed: list[str] = []
    store = Store(changed.append)
    store.put(RUNS, run(10))
    store.put(JOBS, job(11))
    store.put(PODS, pod(12))
    changed.clear()
    return store, changed


def view(store: Store, uid: str = UID) -> View:
    found = store.view(uid)
    assert found is not None
    return found


def test_a_run_is_seen_with_its_jobs_and_pods() -> None:
    store, _ = filled()
    found = view(store)
    assert found.run.version == 10
    assert list(found.jobs) == ["countdown-1a2b3c4d-r1-rollout-1"]
    assert [each.job_name for each in found.pods] == ["countdown-1a2b3c4d-r1-rollout-1"]
    assert store.keys() == [UID]


def test_who_has_changed_is_told_once_per_change() -> None:
    store, changed = filled()
    store.put(JOBS, job(11))
    store.put(JOBS, job(9))
    assert changed == []
    store.put(JOBS, job(13))
    assert changed == [UID]


def test_without_its_resource_there_is_no_run() -> None:
    store, changed = filled()
    store.gone(RUNS, run(20))
    assert changed == [UID]
    assert store.view(UID) is None
    assert store.keys() == []


def test_what_is_told_late_does_not_bring_back_what_is_gone() -> None:
    store, _ = filled()
    store.gone(JOBS, job(20))
    store.put(JOBS, job(19))
    assert view(store).jobs == {}


def test_an_object_that_only_lost_its_label_comes_back_with_it() -> None:
    store, _ = filled()
    store.gone(JOBS, job(20))
    store.put(JOBS, job(21))
    assert len(view(store).jobs) == 1


def test_objects_of_other_namespaces_do_not_count() -> None:
    """Anybody can put the label of a run on what is his."""
    store, _ = filled()
    store.put(JOBS, job(30, uid="job-of-somebody", namespace="theirs"))
    store.put(PODS, pod(31, uid="pod-of-somebody", namespace="theirs"))
    assert [each.uid for each in view(store).jobs.values()] == ["job-1"]
    assert len(view(store).pods) == 1


def test_an_object_that_moves_to_another_run_leaves_the_first() -> None:
    store, changed = filled()
    store.put(RUNS, run(40, uid=OTHER))
    store.put(JOBS, job(41, of=OTHER))
    assert view(store).jobs == {}
    assert len(view(store, OTHER).jobs) == 1
    assert changed == [OTHER, UID, OTHER]


def test_a_job_whose_labels_make_no_sense_any_more_is_none_of_ours() -> None:
    store, changed = filled()
    store.put(JOBS, job(20, **{"reflection.training/stage": "dance"}))
    assert view(store).jobs == {}
    assert changed == [UID]


def test_a_list_sweeps_away_what_it_lacks_unless_that_is_newer() -> None:
    store, changed = filled()
    store.put(JOBS, job(60, uid="job-2"))
    changed.clear()
    store.sweep(JOBS, set(), version=50)
    assert [each.uid for each in view(store).jobs.values()] == ["job-2"]
    assert changed == [UID]
    store.sweep(JOBS, {"job-2"}, version=70)
    assert [each.uid for each in view(store).jobs.values()] == ["job-2"]


def test_hostile_objects_are_ignored() -> None:
    store, changed = filled()
    for obj in ({}, {"metadata": None}, {"metadata": {"uid": 3}}, {"metadata": {"uid": "x", "labels": []}}):
        for kind in (RUNS, JOBS, PODS):
            store.put(kind, obj)
            store.gone(kind, obj)
    assert changed == []


def _history(kind: Kind, uid: str) -> st.SearchStrategy[list[tuple[Kind, str, int, bool]]]:
    """Versions of one object, the last of which may be its end."""
    return st.tuples(st.integers(1, 5), st.booleans()).map(
        lambda drawn: [
            (kind, uid, version * 10 + int(uid[-1]), drawn[1] and version == drawn[0])
            for version in range(1, drawn[0] + 1)
        ]
    )


HISTORIES = st.tuples(
    _history(RUNS, UID), _history(JOBS, "job-1"), _history(JOBS, "job-2"), _history(PODS, "pod-1")
)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_in_which_changes_arrive_does_not_matter(histories: Any, chance: Any) -> None:
    """Answers to own writes, two lists and a watch tell about the same changes in any order, and more than once."""
    changes = [change for history in histories for change in history]
    told = changes + changes
    chance.shuffle(told)

    def final(order: Any) -> Any:
        store = Store(lambda _: None)
        for kind, uid, version, end in order:
            obj = run(version) if kind is RUNS else (job if kind is JOBS else pod)(version, uid=uid)
            (store.gone if end else store.put)(kind, obj)
        found = store.view(UID)
        return found and (
            found.run.version,
            {each.uid: each.version for each in found.jobs.values()},
            found.pods,
        )

    assert final(told) == final(changes)


def report(**fields: Any) -> ProgressReport:
    words = {"stage": "rollout", "done": 1, "total": 4, "unit": "answers", "updatedAt": 100.0}
    return ProgressReport.model_validate(words | fields)


def test_what_pods_report_adds_up_and_is_worth_one_look() -> None:
    store, changed = filled()
    other = pod(13, uid="pod-2", index=3)
    store.put(PODS, other)
    changed.clear()
    assert view(store).progress is None
    assert store.report(pod(12)["metadata"]["uid"], report())
    assert store.report("pod-2", report(done=2, updatedAt=101.0, index=0))
    found = view(store).progress
    assert found is not None
    assert (found.done, found.total, found.updated_at) == (3, 8, 101.0)
    # The second came at once after the first, and is seen with the next look.
    assert changed == [UID]


def test_the_newest_report_of_a_pod_wins_and_goes_with_the_pod() -> None:
    store, _ = filled()
    uid = pod(12)["metadata"]["uid"]
    store.report(uid, report())
    store.report(uid, report(done=3))
    found = view(store).progress
    assert found is not None
    assert found.done == 3
    store.gone(PODS, pod(20))
    assert view(store).progress is None


def test_whose_pod_is_not_known_is_not_heard() -> None:
    store, changed = filled()
    assert not store.report("nobody", report())
    # Neither a run nor a Job has a token.
    assert not store.report(UID, report())
    assert changed == []


def test_a_pod_of_another_namespace_cannot_report_for_a_run() -> None:
    """It has the run's labels, which anybody can put on it."""
    store, changed = filled()
    store.put(PODS, pod(13, uid="stranger", namespace="other"))
    changed.clear()
    assert not store.report("stranger", report(done=4))
    assert view(store).progress is None
    assert changed == []


@pytest.mark.parametrize("owner", ["", "job-of-nobody"])
def test_a_pod_that_no_job_of_the_run_controls_cannot_report_for_it(owner: str) -> None:
    """It has the labels of a pod of the Job, which anybody in the namespace can copy."""
    store, changed = filled()
    store.put(PODS, pod(13, uid="copy", owner=owner))
    changed.clear()
    assert not store.report("copy", report(done=4))
    assert view(store).progress is None
    assert changed == []


def test_nor_can_one_whose_job_is_another_namespaces() -> None:
    store, _ = filled()
    store.put(JOBS, job(13, uid="job-of-somebody", namespace="other"))
    store.put(PODS, pod(14, uid="copy", owner="job-of-somebody"))
    assert not store.report("copy", report(done=4))


def test_a_report_from_the_future_does_not_hide_later_ones() -> None:
    store, _ = filled()
    store.put(JOBS, job(13, uid="job-2", **{"reflection.training/stage": "verify"}))
    store.put(PODS, pod(13, uid="pod-2", stage="verify", owner="job-2"))
    store.report(pod(12)["metadata"]["uid"], report(updatedAt=1e12))
    store.report("pod-2", report(stage="verify", updatedAt=200.0))
    found = view(store).progress
    assert found is not None
    assert found.stage == "verify"


def test_reports_of_an_earlier_job_do_not_count() -> None:
    store, _ = filled()
    store.put(JOBS, job(13, uid="job-2", **{"reflection.training/stage": "verify"}))
    store.put(PODS, pod(13, uid="pod-2", stage="verify", owner="job-2"))
    store.report(pod(12)["metadata"]["uid"], report(done=4))
    store.report("pod-2", report(stage="verify", done=1, total=2, updatedAt=200.0))
    found = view(store).progress
    assert found is not None
    assert (found.stage, found.done, found.total) == ("verify", 1, 2)


def test_what_was_told_to_be_held_before_the_answer_to_its_deletion_stays() -> None:
    """A watch may be faster than the answer, and tells it only once."""
    store = Store(lambda _: None)
    store.put(RUNS, run(5))
    store.put(RUNS, run(7))
    store.remove(RUNS, UID, 5)
    assert store.keys() == [UID]
    store.remove(RUNS, UID, 7)
    assert store.keys() == []
