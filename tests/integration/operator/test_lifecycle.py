"""What people do to a run that goes on: suspend it, edit it, delete parts of it, delete it."""

from __future__ import annotations

import pytest

from ...support.cluster import BATCH, CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, Wait, index_of, run_on, stage_of
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish


def test_suspend_and_resume(training: Run, kubelet: Kubelet) -> None:
    training.change(suspend=True)
    until(lambda: training.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    assert training.status["phase"] == "Suspended"
    assert training.is_now("Ready", "True", "Suspended")
    assert [pod for pod in kubelet.pods() if pod["status"]["phase"] == "Running"] == []
    training.change(suspend=False)
    finish(training, kubelet)
    assert "train-2" in training.job_names()
    assert training.status["restarts"] == 0, "to be suspended is no failure"
    assert {"Suspended", "Resumed"} <= {reason for reason, _ in training.events()}


def test_a_suspended_run_does_not_begin(run: Run, operator: OperatorProcess) -> None:
    operator.start()
    run.apply(spec__suspend=True)
    until(lambda: run.is_now("Suspended", "True"), "suspension")
    assert run.jobs() == []


def test_a_job_held_by_a_queue_is_shown_and_left_alone(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """As Kueue does it. Kueue itself is not at hand here."""
    kubelet.script = run_on
    operator.start()
    run.apply(metadata__labels={"kueue.x-k8s.io/queue-name": "team-a"})
    (job,) = until(run.jobs, "Job")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    header, row = cluster.kubectl("get", "rt", "-n", run.namespace, "-o", "wide").stdout.splitlines()
    assert row[header.index("QUEUE") :].startswith("team-a ")
    path = f"{BATCH}/namespaces/{run.namespace}/jobs/{job['metadata']['name']}"
    cluster.patch(path, {"spec": {"suspend": True}})
    queued = until(lambda: run.is_now("Queued", "True"), "queued", meanwhile=kubelet.tick)
    assert queued["reason"] == "QuotaWait"
    assert run.status["phase"] == "Queued"
    assert "held by queue team-a" in run.condition("Ready")["message"]
    assert cluster.get(path)["spec"]["suspend"] is True
    cluster.patch(path, {"spec": {"suspend": False}})
    until(lambda: run.status["phase"] == "Rollout", "rollout", meanwhile=kubelet.tick)
    assert run.condition("Queued")["status"] == "False"
    assert run.status["restarts"] == 0


def test_deleting_the_resource_leaves_nothing(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    cluster.delete(training.path)
    kinds = (f"{BATCH}/namespaces/{{}}/jobs", f"{CORE}/namespaces/{{}}/pods")
    until(
        lambda: not any(cluster.items(kind.format(training.namespace)) for kind in kinds),
        "end of all children",
        meanwhile=kubelet.tick,
    )
    until(
        lambda: (
            [
                each["metadata"]["name"]
                for each in cluster.items(f"{CORE}/namespaces/{training.namespace}/configmaps")
            ]
            == ["kube-root-ca.crt"]
        ),
        "end of the ConfigMaps",
    )
    assert cluster.find(training.path) is None


def test_a_resource_deleted_while_the_operator_is_away_does_not_hang(
    training: Run, cluster: Cluster, kubelet: Kubelet, operator: OperatorProcess
) -> None:
    operator.kill()
    cluster.delete(training.path, policy="Foreground")
    until(lambda: cluster.find(training.path) is None, "end of the resource", meanwhile=kubelet.tick)


def test_deleting_the_namespace_does_not_hang(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    path = f"{CORE}/namespaces/{training.namespace}"
    cluster.delete(path)
    until(lambda: cluster.find(path) is None, "end of the namespace", meanwhile=kubelet.tick)


def test_a_finished_resource_goes_after_its_time(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    operator.start()
    run.apply(spec__ttlSecondsAfterFinished=0)
    until(lambda: cluster.find(run.path) is None, "end of the resource", meanwhile=kubelet.tick)


def test_a_resource_of_another_controller_is_left_alone(
    cluster: Cluster, run: Run, operator: OperatorProcess, namespace: str
) -> None:
    operator.start()
    run.apply(spec__managedBy="kueue.x-k8s.io/multikueue")
    other = Run(cluster, namespace, "other")
    other.apply()
    until(lambda: other.is_now("Ready", "True"), "look at the other resource")
    # Its Job is created after its status is written.
    (job,) = until(run.jobs, "Job of the other resource")
    assert job["metadata"]["name"].startswith("other-")
    assert run.status["observedGeneration"] == -1


def test_workers_changed_before_the_stage_take_effect(run: Run, operator: OperatorProcess) -> None:
    operator.start()
    run.apply(spec__suspend=True)
    until(lambda: run.is_now("Suspended", "True"), "suspension")
    run.change(suspend=False, rollout={"workers": 3})
    (job,) = until(run.jobs, "Job")
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (3, 3)


def test_a_deleted_job_is_created_again(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    job = next(job for job in training.jobs() if "-train-" in job["metadata"]["name"])
    path = f"{BATCH}/namespaces/{training.namespace}/jobs/{job['metadata']['name']}"
    cluster.delete(path)
    again = until(
        lambda: (
            (found := cluster.find(path)) and found["metadata"]["uid"] != job["metadata"]["uid"] and found
        ),
        "new Job",
        meanwhile=kubelet.tick,
    )
    assert again
    finish(training, kubelet)
    assert training.status["restarts"] == 0


def test_what_is_changed_while_a_stage_is_at_work(training: Run, cluster: Cluster, kubelet: Kubelet) -> None:
    """A limit counts at once, what pods look like from the next Job on; the one at work goes on undisturbed."""
    [before] = [job for job in training.jobs() if "-train-" in job["metadata"]["name"]]
    changes = {
        "failurePolicy": {"maxRestarts": 0},
        "rollout": {"workers": 3},
        "pods": {"common": {"labels": {"team": "seven"}}},
    }
    cluster.patch(training.path, {"spec": changes})
    until(lambda: training.status["observedGeneration"] == 2, "observation", meanwhile=kubelet.tick)
    finish(training, kubelet)
    jobs = {job["metadata"]["name"].split("-")[-2]: job for job in training.jobs()}
    assert jobs["train"]["metadata"]["uid"] == before["metadata"]["uid"]
    labels = {name: job["spec"]["template"]["metadata"]["labels"].get("team") for name, job in jobs.items()}
    assert labels == {"rollout": None, "verify": None, "train": None, "evaluate": "seven", "report": "seven"}


def test_a_deadline_that_is_set_later_counts_from_the_start(
    training: Run, cluster: Cluster, kubelet: Kubelet
) -> None:
    cluster.patch(training.path, {"spec": {"activeDeadlineSeconds": 1}})
    until(lambda: training.is_now("Succeeded", "False"), "end of the run", meanwhile=kubelet.tick)
    assert training.is_now("Stalled", "True", "DeadlineExceeded")


FOREIGN = {
    "ConfigMap": (CORE, "rollout", {"data": {"mine": "yes"}}),
    "Job": (
        BATCH,
        "rollout",
        {
            "spec": {
                "suspend": True,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "mine", "image": "mine"}]}
                },
            }
        },
    ),
    "Service": (CORE, "train", {"spec": {"clusterIP": "None", "selector": {"app": "mine"}}}),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_object_in_the_way_is_named_and_not_touched(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet, kind: str
) -> None:
    group, stage, body = FOREIGN[kind]
    stored = run.apply(spec__training={"nodes": 2})
    name = f"countdown-{stored['metadata']['uid'][:8]}-r1-{stage}-1"
    place = f"{group}/namespaces/{run.namespace}/{kind.lower()}s"
    before = cluster.create(place, {"metadata": {"name": name}, **body})
    operator.start()
    refused = until(lambda: run.is_now("Ready", "False", "ChildRefused"), "refusal", meanwhile=kubelet.tick)
    assert (
        f'{kind} "{name}" exists and does not belong to this run; delete or rename it' in refused["message"]
    )
    after = cluster.get(f"{place}/{name}")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert (after.get("data"), after.get("spec")) == (before.get("data"), before.get("spec"))
    cluster.delete(f"{place}/{name}")
    finish(run, kubelet)
    assert run.status["restarts"] == 0


@pytest.mark.parametrize("kind", ["configmaps", "services"])
def test_what_pods_wait_for_is_created_again(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, kind: str
) -> None:
    """A pod whose ConfigMap or Service is gone waits without a word."""
    kubelet.script = lambda pod: Wait("ContainerCreating", "") if stage_of(pod) == "train" else End()
    operator.start()
    run.apply(spec__training={"nodes": 2})
    until(
        lambda: any(stage_of(pod) == "train" and pod["spec"].get("nodeName") for pod in kubelet.pods()),
        "training pods",
        meanwhile=kubelet.tick,
    )
    name = next(job["metadata"]["name"] for job in run.jobs() if "-train-" in job["metadata"]["name"])
    path = f"{CORE}/namespaces/{run.namespace}/{kind}/{name}"
    before = cluster.get(path)["metadata"]["uid"]
    cluster.delete(path)
    found = until(lambda: cluster.find(path), "what was deleted", meanwhile=kubelet.tick)
    assert found["metadata"]["uid"] != before
    assert found["metadata"]["ownerReferences"][0]["uid"] == run.get()["metadata"]["uid"]
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)


@pytest.mark.parametrize(
    ("stage", "first", "kind"),
    [("train", None, "services"), ("rollout", End(), "configmaps")],
    ids=["at work", "ended"],
)
def test_what_one_pod_waits_for_is_created_again_while_another_has_begun(
    run: Run,
    operator: OperatorProcess,
    kubelet: Kubelet,
    cluster: Cluster,
    stage: str,
    first: End | None,
    kind: str,
) -> None:
    """As that of a pod that comes late, or was started anew elsewhere."""

    def script(pod: Obj) -> End | Wait | None:
        if stage_of(pod) != stage:
            return End()
        return Wait("ContainerCreating", "") if index_of(pod) else first

    def one_waits() -> bool:
        pods = [pod for pod in kubelet.pods() if stage_of(pod) == stage]
        nodes = {pod["status"]["phase"]: pod["spec"].get("nodeName") for pod in pods}
        return nodes.get("Pending") is not None and len(nodes) == 2

    kubelet.script = script
    operator.start()
    run.apply(spec__training={"nodes": 2}, spec__rollout={"workers": 2})
    until(one_waits, "one pod that waits beside another", meanwhile=kubelet.tick)
    name = next(job["metadata"]["name"] for job in run.jobs() if f"-{stage}-" in job["metadata"]["name"])
    path = f"{CORE}/namespaces/{run.namespace}/{kind}/{name}"
    before = cluster.get(path)["metadata"]["uid"]
    cluster.delete(path)
    found = until(lambda: cluster.find(path), "what was deleted", meanwhile=kubelet.tick)
    assert found["metadata"]["uid"] != before
    kubelet.script = lambda _: End()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
