"""What the API server refuses, of us or of the Job controller, is said in its own words and heals when it is mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ...support.cluster import BATCH, CORE, Cluster, until
from ...support.kstatus import verdicts
from ...support.kubelet import Kubelet
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
Act = Callable[[Cluster, str], object]


def goes_on(run: Run, kubelet: Kubelet) -> None:
    """See that nothing is left of a refusal that was mended."""
    finish(run, kubelet)
    assert run.status["restarts"] == 0
    assert run.condition("Stalled")["status"] == "Absent"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"name": "A=B", "value": "3"}, '.name: Invalid value: "A=B"'),
        ({"name": "A", "value": 3}, "cannot unmarshal number into Go struct field EnvVar"),
    ],
    ids=["a wrong value", "a wrong type"],
)
def test_a_child_that_is_wrong_stalls_the_run_until_its_spec_is_changed(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, env: dict[str, Any], words: str
) -> None:
    operator.start()
    run.apply(spec__pods={"common": {"env": [env]}})
    refused = until(lambda: run.is_now("Ready", "False", "ChildRefused"), "refusal")
    assert words in refused["message"]
    assert "; correct what the message names (spec.pods" in refused["message"]
    assert run.condition("Stalled")["message"] == refused["message"]
    assert verdicts([run.get()])[0].word == "Failed"
    until(lambda: ("ChildRefused", refused["message"]) in run.events(), "event")
    run.change(pods={"common": {"env": [{"name": "A", "value": "3"}]}})
    goes_on(run, kubelet)


def _quota(pods: int) -> Act:
    def act(cluster: Cluster, namespace: str) -> None:
        path = f"{CORE}/namespaces/{namespace}/resourcequotas"
        body: dict[str, Any] = {"spec": {"hard": {"pods": str(pods)}}}
        if cluster.find(f"{path}/pods"):
            cluster.patch(f"{path}/pods", body)
        else:
            cluster.create(path, {"metadata": {"name": "pods"}} | body)
            until(lambda: cluster.get(f"{path}/pods").get("status", {}).get("hard"), "quota in force")

    return act


def _labelled(labels: dict[str, str | None]) -> Act:
    return lambda cluster, namespace: cluster.patch(
        f"{CORE}/namespaces/{namespace}", {"metadata": {"labels": labels}}
    )


def _nothing(_: Cluster, __: str) -> None:
    pass


PODS_REFUSED: dict[str, tuple[Act, dict[str, Any], str, Act]] = {
    "a service account that is not there": (
        _nothing,
        {"serviceAccountName": "trainer"},
        'serviceaccount "trainer" not found',
        lambda cluster, namespace: cluster.create(
            f"{CORE}/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "trainer"}}
        ),
    ),
    "a priority class that is not there": (
        _nothing,
        {"priorityClassName": "research"},
        "no PriorityClass with name research was found",
        lambda cluster, _: cluster.create(CLASSES, {"metadata": {"name": "research"}, "value": 5}),
    ),
    "a quota": (_quota(0), {}, "exceeded quota: pods", _quota(10)),
    "a namespace that forbids it": (
        _labelled(RESTRICTED),
        {"volumes": [{"name": "disk", "hostPath": {"path": "/data"}}]},
        'violates PodSecurity "restricted:latest"',
        _labelled(dict.fromkeys(RESTRICTED)),
    ),
}
"""What is done before, a part of spec.pods.common, what is said, and what mends it."""


@pytest.mark.parametrize("case", PODS_REFUSED)
def test_pods_that_cannot_be_created_are_told_of_and_come_when_it_is_mended(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet, case: str
) -> None:
    """The Job is there, and no condition of it says why it has no pods."""
    before, pods, words, mend = PODS_REFUSED[case]
    before(cluster, run.namespace)
    operator.start()
    run.apply(spec__pods={"common": pods})
    refused = until(lambda: run.is_now("Ready", "False", "ChildRefused"), "refusal", meanwhile=kubelet.tick)
    assert words in refused["message"]
    assert verdicts([run.get()])[0].word == "InProgress"
    assert words in run.told("ChildRefused")
    mend(cluster, run.namespace)
    goes_on(run, kubelet)


def test_the_job_that_is_deleted_after_a_change_of_its_pods_is_created_anew(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    operator.start()
    run.apply(spec__pods={"common": {"serviceAccountName": "typo"}})
    refused = until(lambda: run.is_now("Ready", "False", "ChildRefused"), "refusal")
    assert refused["message"].endswith(
        "after a change of spec.pods delete the Job, which is then created anew"
    )
    # The new pods are told of each other, too: a part of the shards would be nobody's else.
    run.change(pods={"common": {"serviceAccountName": None}}, rollout={"workers": 2})
    (job,) = run.jobs()
    name = job["metadata"]["name"]
    cluster.delete(f"{BATCH}/namespaces/{run.namespace}/jobs/{name}")
    goes_on(run, kubelet)
    told = cluster.get(f"{CORE}/namespaces/{run.namespace}/configmaps/{name}")["data"]["stage.json"]
    made = cluster.get(f"{BATCH}/namespaces/{run.namespace}/jobs/{name}")
    assert made["metadata"]["uid"] != job["metadata"]["uid"]
    assert json.loads(told)["rollout"]["workers"] == made["spec"]["completions"] == 2


def test_the_end_of_a_run_whose_pods_could_not_be_created_says_why(
    run: Run, operator: OperatorProcess
) -> None:
    operator.start()
    run.apply(spec__pods={"common": {"serviceAccountName": "typo"}}, spec__pendingDeadlineSeconds=30)
    ended = until(lambda: run.is_now("Succeeded", "False"), "end of the run")
    assert ended["reason"] == "PendingDeadlineExceeded"
    assert 'serviceaccount "typo" not found' in ended["message"]
