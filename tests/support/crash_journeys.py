"""What runs go through whose operator meets faults: together they meet every kind of write."""

from __future__ import annotations

from typing import Any

import httpx

from ..unit.api.resources import resource
from .cluster import BATCH, CORE, Obj
from .crash_case import Case, Journey
from .kubelet import End, Wait, failed, one_crash, round_of, run_on, stage_of, train_on
from .reporting_pod import ReportingPod, report

NODES = ROUNDS = 2


def to_the_end(case: Case) -> None:
    """Do nothing: the training crashes once, and the run ends by itself."""
    case.until(case.has_ended, "end of the run")


def to_the_end_of_the_second_round(case: Case) -> None:
    """Do nothing: the training of the second round crashes once, and the run ends by itself."""
    case.kubelet.script = lambda pod: one_crash(pod) if round_of(pod) == ROUNDS else End()
    case.until(case.has_ended, "end of the run")


def suspended_resumed_and_deleted(case: Case) -> None:
    """Suspend its training, go on, and delete the run with all that it has stored."""
    case.kubelet.script = train_on
    case.until(lambda: _trains(case), "training")
    case.begins_to_matter()
    case.cluster.patch(case.path, {"spec": {"suspend": True}})
    case.until(lambda: case.phase() == "Suspended" and not case.pods_at_work(), "suspension")
    case.cluster.patch(case.path, {"spec": {"suspend": False}})
    case.until(lambda: _trains(case), "training again")
    case.cluster.delete(case.path)
    case.until(case.is_gone, "end of the run and its children")


def fails_and_goes_in_time(case: Case) -> None:
    """Report how far its rollout is, take the labels off its Job, fail for good, and go when its time is over."""
    case.kubelet.script = run_on
    case.until(lambda: case.phase() == "Rollout" and case.pods_at_work() == 1, "rollout")
    case.begins_to_matter()
    pod = ReportingPod(case.cluster, case.kubelet.pods()[0], case.folder)
    token, words = pod.token(), report()

    def shown() -> bool:
        """Its pod says the same until it is heard, as any pod does that is not answered."""
        _say(pod, token, words)
        return bool(case.get()["status"].get("progress", {}).get("step") == words["done"])

    case.until(shown, "progress")
    (job,) = case.jobs()
    path, labels = (
        f"{BATCH}/namespaces/{case.namespace}/jobs/{job['metadata']['name']}",
        job["metadata"]["labels"],
    )
    # With no label at all the API server would take those of the pods.
    case.cluster.patch(path, {"metadata": {"labels": dict.fromkeys(list(labels)[1:])}})
    case.until(lambda: case.cluster.get(path)["metadata"]["labels"] == labels, "labels")
    case.kubelet.script = lambda _: failed("rollout", 65, "InvalidPrompts", "train.jsonl:3: no target")
    case.until(case.has_ended, "end of the run")
    case.ends_here()
    case.cluster.patch(case.path, {"spec": {"ttlSecondsAfterFinished": 0}})
    case.until(case.is_gone, "end of the run and its children")


def what_pods_wait_for_comes_back(case: Case) -> None:
    """Delete what the pods of its training wait for without a word; then the run itself."""
    case.kubelet.script = lambda pod: Wait("ContainerCreating", "") if stage_of(pod) == "train" else End()
    case.until(lambda: len(_bound(case)) == NODES, "training pods")
    case.begins_to_matter()
    name = _bound(case)[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    paths = [f"{CORE}/namespaces/{case.namespace}/{kind}/{name}" for kind in ("configmaps", "services")]
    for path in paths:
        case.cluster.delete(path)
    case.until(lambda: all(map(case.cluster.find, paths)), "what was deleted")
    case.cluster.delete(case.path)
    case.until(case.is_gone, "end of the run and its children")


def _trains(case: Case) -> bool:
    return case.phase() == "Training" and case.pods_at_work() == NODES


def _bound(case: Case) -> list[Obj]:
    """Pods that are at a node and do not run."""
    return [
        pod
        for pod in case.kubelet.pods()
        if pod["status"]["phase"] == "Pending" and pod["spec"].get("nodeName")
    ]


def _say(pod: ReportingPod, token: str, words: Obj) -> None:
    try:
        pod.post(token, words)
    except httpx.TransportError:
        return  # the operator is away


def _run(**spec: Any) -> Obj:
    return resource(**{f"spec__{name}": value for name, value in spec.items()})


EVERYTHING = _run(training={"nodes": NODES}, deletionPolicy="Delete")
"""A run that needs every kind of child, and the finalizer."""
TO_THE_END = Journey(EVERYTHING, to_the_end)
TWO_ROUNDS = Journey(_run(training={"nodes": NODES}, rounds=ROUNDS), to_the_end_of_the_second_round)
DELETED = Journey(EVERYTHING, suspended_resumed_and_deleted)
FAILED = Journey(_run(), fails_and_goes_in_time, progress=True)
RESTORED = Journey(_run(training={"nodes": NODES}), what_pods_wait_for_comes_back)
