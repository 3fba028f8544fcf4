"""Table of faults: pods that are taken away, or cannot start."""

from __future__ import annotations

from ..support.cluster import CORE, Obj, until
from ..support.nodes.clock import with_clock
from ..support.nodes.example import REGISTRY, TRAINER_IMAGE
from ..support.nodes.small_run import SmallRun

_MINUTE = 60
MISSING_IMAGE = f"{REGISTRY}/not-there-yet:1"
FULL = {"name": "work", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}
"""Room for the model, and not for a checkpoint beside it. In memory the limit is the file system's own."""
OVER = {"name": "work", "emptyDir": {"sizeLimit": "1Mi"}}
"""On a disk a volume grows beyond its limit, which the kubelet notices."""
ROOM = {"name": "work", "emptyDir": {}}
SCRATCH = {"name": "work", "mountPath": "/scratch"}


def test_pod_deleted(run: SmallRun, undisturbed: str) -> None:
    """Training pod deleted"""
    run.start()
    saved = run.trains()
    run.cluster.delete(run.place(run.pod("train")))
    run.ends_well(restarts=1, counted=1, weights=undisturbed)
    run.lost_little(saved)


def test_pod_evicted(run: SmallRun, undisturbed: str) -> None:
    """Training pod evicted through the API"""
    run.start()
    saved = run.trains()
    run.evict(run.pod("train"))
    status = run.ends_well(restarts=1, weights=undisturbed)
    assert status["attempts"][0]["reason"] == "Disrupted"
    run.lost_little(saved)


def test_suspended_and_resumed(run: SmallRun, undisturbed: str) -> None:
    """Run suspended in training until its pods are gone, then resumed"""
    run.start()
    saved = run.trains()
    run.change({"suspend": True})
    until(lambda: run.condition("Suspended")["status"] == "True", "suspension", patience=120)
    assert all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in run.pods("train"))
    run.change({"suspend": False})
    run.ends_well(weights=undisturbed)
    run.lost_little(saved)


def test_image_cannot_be_pulled(run: SmallRun, undisturbed: str) -> None:
    """Image that cannot be pulled, and then can"""
    run.start({"pods.training.image": MISSING_IMAGE})
    run.waits_for("ImagePullFailed")
    for node in run.nodes.nodes:
        node.also_call(TRAINER_IMAGE, MISSING_IMAGE)
    run.ends_well(weights=undisturbed)


def test_quota_exceeded(run: SmallRun, undisturbed: str) -> None:
    """Quota of the namespace exceeded for Jobs, then for pods, then raised"""
    quotas = f"{CORE}/namespaces/{run.namespace}/resourcequotas"
    hard = {"count/jobs.batch": "0", "pods": "0"}
    run.cluster.create(quotas, {"metadata": {"name": "limits"}, "spec": {"hard": hard}})
    until(lambda: run.cluster.get(f"{quotas}/limits").get("status", {}).get("hard"), "quota in force")
    run.start()
    run.waits_for("ChildRefused")
    run.cluster.patch(f"{quotas}/limits", {"spec": {"hard": {"count/jobs.batch": "9"}}})
    until(lambda: run.cluster.items(f"/apis/batch/v1/namespaces/{run.namespace}/jobs"), "Job", patience=120)
    until(lambda: _refused_pods(run), "refusal of a pod")
    run.cluster.patch(f"{quotas}/limits", {"spec": {"hard": {"pods": "9"}}})
    run.ends_well(weights=undisturbed)


def test_disk_full(run: SmallRun, undisturbed: str) -> None:
    """Disk full in a training pod (emptyDir with a limit), then given more"""
    failed = _with_more_room_later(run, FULL, undisturbed)
    assert failed["reason"] == "StorageFull"
    run.lost_little(0)


def test_scratch_over_its_limit(run: SmallRun, undisturbed: str) -> None:
    """Scratch volume of a training pod on disk over its limit, so that the kubelet evicts it, then given more"""
    failed = _with_more_room_later(run, OVER, undisturbed)
    assert failed["reason"] == "StorageFull"
    assert 'Usage of EmptyDir volume "work" exceeds the limit "1Mi"' in failed["message"]
    run.lost_little(0)


def test_clock_is_wrong(run: SmallRun, undisturbed: str) -> None:
    """Clock of a pod wrong: ten minutes behind in the rollout; ten ahead, then an hour, in training, then set right"""
    ahead = {"pods.rollout.env": with_clock(-10 * _MINUTE), "pods.training.env": with_clock(10 * _MINUTE)}
    run.start(ahead)
    saved = run.trains()
    run.change({"pods": {"training": {"env": with_clock(60 * _MINUTE)}}})
    run.cluster.delete(run.place(run.pod("train")))
    until(lambda: len(run.status.get("attempts", [])) == 2, "attempt that the storage refuses", patience=300)
    run.change({"pods": {"training": {"env": []}}})
    status = run.ends_well(restarts=2, counted=2, weights=undisturbed)
    assert status["attempts"][1]["reason"] == "StorageUnavailable"
    assert "the clock here and that of" in status["attempts"][1]["message"]
    run.lost_little(saved, 3, done=run.steps_done())


def _with_more_room_later(run: SmallRun, volume: Obj, weights: str) -> Obj:
    """What a run says of its first training, which had this volume for its files; it ends well with another one."""
    run.start({"pods.training": {"volumes": [volume], "volumeMounts": [SCRATCH]}})
    run.pod("train")
    until(lambda: run.status.get("attempts"), "attempt that failed", patience=300)
    run.change({"pods": {"training": {"volumes": [ROOM], "volumeMounts": [SCRATCH]}}})
    attempts: list[Obj] = run.ends_well(restarts=1, counted=1, weights=weights)["attempts"]
    return attempts[0]


def _refused_pods(run: SmallRun) -> bool:
    events = run.cluster.items(f"{CORE}/namespaces/{run.namespace}/events")
    return any("exceeded quota" in each["message"] and each["reason"] == "FailedCreate" for each in events)
