"""What people do to a run with `kubectl edit`: its status, the labels of its children."""

from __future__ import annotations

import re
import shlex

import pytest
from reflection_operator.children.labels import UID_LABEL

from ...support.cluster import BATCH, CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, one_crash, stage_of
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish

STAGES = ["evaluate-1", "report-1", "rollout-1", "train-1", "verify-1"]


def test_labels_taken_off_a_job_come_back(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    job = next(job for job in training.jobs() if "-train-" in job["metadata"]["name"])
    path = f"{BATCH}/namespaces/{training.namespace}/jobs/{job['metadata']['name']}"
    before = job["metadata"]["labels"]
    # With no label at all the API server would take those of the pods.
    cluster.patch(path, {"metadata": {"labels": dict.fromkeys(list(before)[1:])}})
    until(lambda: cluster.get(path)["metadata"].get("labels") == before, "labels", meanwhile=kubelet.tick)
    assert cluster.get(path)["metadata"]["uid"] == job["metadata"]["uid"]
    finish(training, kubelet)
    assert training.status["restarts"] == 0


def pod_at_work(kubelet: Kubelet) -> Obj:
    (pod,) = (pod for pod in kubelet.pods() if pod["status"]["phase"] == "Running")
    return pod


def path_of(pod: Obj) -> str:
    return f"{CORE}/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def test_pods_that_lose_their_labels(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    """The operator may not change pods: the status says who can."""
    pod, label = pod_at_work(kubelet), {"metadata": {"labels": {UID_LABEL: None}}}
    cluster.patch(path_of(pod), label)

    def command() -> str | None:
        """In the status, as soon as the pod is missed for so long that nobody is merely late."""
        found = re.search("without the labels.*`kubectl (.*)`", training.condition("Ready")["message"])
        return found and found[1]

    done = cluster.kubectl(*shlex.split(until(command, "command", meanwhile=kubelet.tick)))
    assert done.returncode == 0, done.stderr
    assert training.is_now("Ready", "True", "Progressing")
    until(lambda: not command(), "label")
    assert training.status["phase"] == "Training"
    assert cluster.get(path_of(pod))["metadata"]["labels"] == pod["metadata"]["labels"]

    # Without any label it is nobody's: the Job controller lets go of it and starts another one.
    cluster.patch(path_of(pod), {"metadata": {"labels": dict.fromkeys(pod["metadata"]["labels"])}})
    kubelet.script = lambda _: None
    others = until(
        lambda: [each for each in kubelet.pods() if each["status"]["phase"] == "Running" and labelled(each)],
        "other pod",
        meanwhile=kubelet.tick,
    )
    # What becomes of that one nobody sees, and the run goes on when its Job has ended.
    cluster.patch(path_of(others[0]), label)
    finish(training, kubelet, lambda each: End() if labelled(each) else None)
    assert (sorted(training.job_names()), training.status["restarts"]) == (STAGES, 0)
    left = cluster.get(path_of(pod))
    assert ("ownerReferences" in left["metadata"], left["status"]["phase"]) == (False, "Running")


def labelled(pod: Obj) -> bool:
    return "labels" in pod["metadata"]


@pytest.mark.parametrize("what", ["some", "all"])
def test_a_status_that_was_wiped_is_found_again(
    training: Run, cluster: Cluster, kubelet: Kubelet, what: str
) -> None:
    """At work, at rest and after the end."""
    some = ("current", "conditions", "phase", "startTime")

    def wipe() -> None:
        wiped = dict.fromkeys(some if what == "some" else training.status)
        cluster.patch(f"{training.path}/status", {"status": wiped})

    wipe()
    until(lambda: training.status.get("phase") == "Training", "status", meanwhile=kubelet.tick)
    assert training.status["current"]["stage"] == "train"
    assert training.is_now("RolloutsComplete", "True")

    training.change(suspend=True)
    until(lambda: training.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    wipe()
    until(lambda: training.is_now("Suspended", "True"), "status", meanwhile=kubelet.tick)
    assert (training.status["phase"], training.status["current"]["stage"]) == ("Suspended", "train")
    assert sorted(training.job_names()) == ["rollout-1", "verify-1"]

    training.change(suspend=False)
    end = finish(training, kubelet)
    jobs = [job["metadata"]["uid"] for job in training.jobs()]
    assert sorted(training.job_names()) == STAGES
    wipe()
    again = until(lambda: training.is_now("Succeeded", "True"), "status", meanwhile=kubelet.tick)
    assert (again["reason"], again["message"]) == (end["reason"], end["message"])
    assert [job["metadata"]["uid"] for job in training.jobs()] == jobs


FORGED: tuple[Obj, ...] = (
    {"current": {"round": 1, "stage": "cleanup", "attempt": 1}},
    {"current": {"round": 1, "stage": "evaluate", "attempt": 1}},
    {"current": {"round": 2, "stage": "rollout", "attempt": 1}},
    {"phase": "Succeeded"},
)
"""What somebody writes into the status of a training that is at work, one after the other."""


def whereabouts(run: Run) -> tuple[str, int, str]:
    status = run.status
    return status["phase"], status["current"]["round"], status["current"]["stage"]


def test_a_stage_that_somebody_has_written_by_hand_is_not_believed(
    training: Run, cluster: Cluster, kubelet: Kubelet
) -> None:
    path = f"{training.path}/status"
    answer = cluster.try_to_patch(path, {"status": {"current": {"stage": "dreaming"}}})
    assert 'status.current.stage: Unsupported value: "dreaming"' in answer["message"]
    for forged in FORGED:
        cluster.patch(path, {"status": forged})
        until(lambda: whereabouts(training) == ("Training", 1, "train"), "cure", meanwhile=kubelet.tick)
    finish(training, kubelet)
    assert sorted(training.job_names()) == STAGES
    assert training.status["restarts"] == 0


def test_a_stage_written_by_hand_is_not_believed_in_a_suspension(
    training: Run, cluster: Cluster, kubelet: Kubelet
) -> None:
    training.change(suspend=True)
    until(lambda: training.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    verdict = {"succeeded": True, "reason": "Completed", "message": "written by hand"}
    for stage in ("evaluate", "report", "rollout"):
        forged = {"current": {"stage": stage, "attempt": 7}, "verdict": verdict}
        cluster.patch(f"{training.path}/status", {"status": forged})
        until(lambda: training.status["current"]["stage"] == "train", "cure", meanwhile=kubelet.tick)
        assert "verdict" not in training.status
        assert training.is_now("Suspended", "True")
        assert sorted(training.job_names()) == ["rollout-1", "verify-1"]
    training.change(suspend=False)
    finish(training, kubelet)
    assert (sorted(training.job_names()), training.status["restarts"]) == (STAGES, 0)


def test_nor_is_one_in_a_back_off(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    """The attempt that failed is found again by its Job, and counts once."""
    kubelet.script = one_crash
    operator.start()
    run.apply()
    until(lambda: run.status.get("restarts") == 1, "back-off", meanwhile=kubelet.tick)
    before = run.status["attempts"]
    cluster.patch(f"{run.path}/status", {"status": {"current": {"stage": "evaluate", "attempt": 1}}})
    until(lambda: run.status["current"]["stage"] == "train", "cure", meanwhile=kubelet.tick)
    assert (run.status["current"]["attempt"], run.status["current"]["restarts"]) == (2, 1)
    finish(run, kubelet)
    assert sorted(run.job_names()) == sorted([*STAGES, "train-2"])
    assert (run.status["restarts"], run.status["attempts"]) == (1, before)
    run.told("Succeeded")
    assert [reason for reason, _ in run.events()].count("AttemptRestarted") == 1


def test_an_end_that_somebody_has_written_by_hand_is_none(
    training: Run, cluster: Cluster, kubelet: Kubelet
) -> None:
    conditions = [
        each | ({"status": "True", "reason": "Completed"} if each["type"] == "Succeeded" else {})
        for each in training.status["conditions"]
    ]
    verdict = {"succeeded": True, "reason": "Completed", "message": "written by hand"}
    end = {"conditions": conditions, "phase": "Succeeded", "verdict": verdict}
    time = training.get()["metadata"]["creationTimestamp"]
    (job,) = (job for job in training.jobs() if "-train-" in job["metadata"]["name"])
    for forged in (
        end | {"verdict": None},
        end,
        end | {"current": {"stage": "report"}, "completionTime": time},
        failed_by_hand(end),
    ):
        cluster.patch(f"{training.path}/status", {"status": forged})
        until(lambda: training.condition("Succeeded")["status"] == "Unknown", "cure", meanwhile=kubelet.tick)
        until(lambda: whereabouts(training) == ("Training", 1, "train"), "status", meanwhile=kubelet.tick)
        assert not training.status.keys() & {"verdict", "completionTime"}
        assert job["metadata"]["uid"] in [each["metadata"]["uid"] for each in training.jobs()]
    finish(training, kubelet)
    assert (sorted(training.job_names()), training.status["restarts"]) == (STAGES, 0)


def failed_by_hand(end: Obj) -> Obj:
    """The same end as a failure that no attempt is on record of."""
    turned = [
        each | ({"status": "False", "reason": "TrainerCrashed"} if each["type"] == "Succeeded" else {})
        for each in end["conditions"]
    ]
    return end | {
        "conditions": turned,
        "phase": "Failed",
        "verdict": {"succeeded": False, "reason": "TrainerCrashed", "message": "written by hand"},
    }


def test_a_verdict_written_by_hand_is_not_the_end_of_a_report(
    training: Run, cluster: Cluster, kubelet: Kubelet
) -> None:
    """The figures are still there, in the evaluation's pod."""
    kubelet.script = lambda pod: None if stage_of(pod) == "report" else End()
    until(lambda: training.status["current"]["stage"] == "report", "report", meanwhile=kubelet.tick)
    until(
        lambda: training.is_now("Ready", "True", "Progressing"), "pod of the report", meanwhile=kubelet.tick
    )
    right = training.status["verdict"]
    assert right["reason"] == "Completed"
    forged = {"succeeded": False, "reason": "GateFailed", "message": "written by hand"}
    cluster.patch(f"{training.path}/status", {"status": {"verdict": forged}})
    until(lambda: training.status["verdict"] == right, "cure", meanwhile=kubelet.tick)
    assert finish(training, kubelet)["message"] == right["message"]
