"""Jobs and pods as an API server gives them, and whatever else bears our labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.resource import API_VERSION, KIND
from reflection_api.stages import Stage
from reflection_operator.children.attempt import Attempt
from reflection_operator.children.build import build
from reflection_operator.reconcile.observed import (
    JobState,
    ObservedJob,
    ObservedPod,
    PodPhase,
    Restarted,
    Terminated,
    Waiting,
)
from reflection_operator.reconcile.parse import job_from_object, pod_from_object
from reflection_operator.settings import OperatorSettings

from .builders import T0, after, decided, resource

CREATED = "2026-08-01T12:00:00Z"
LABELS = {
    "reflection.training/run": "countdown",
    "reflection.training/run-uid": "1a2b3c4d",
    "reflection.training/round": "2",
    "reflection.training/stage": "train",
    "reflection.training/attempt": "3",
}


def job_object(status=None, **metadata) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "countdown-1a2b3c4d-r2-train-3",
            "uid": "job-uid",
            "labels": LABELS,
            "annotations": {"reflection.training/restarts": "1"},
            "creationTimestamp": CREATED,
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": KIND, "uid": "run-uid", "controller": True},
                {"apiVersion": "v1", "kind": "ConfigMap", "uid": "another"},
            ],
        }
        | metadata,
        "spec": {"completions": 4, "suspend": False},
        "status": status or {},
    }


def condition(kind, reason="", message="", status="True"):
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-08-01T12:05:00Z",
    }  # fmt: skip


def test_a_job_at_work():
    assert job_from_object(job_object({"active": 4, "startTime": "2026-08-01T12:00:01Z"})) == ObservedJob(
        name="countdown-1a2b3c4d-r2-train-3",
        uid="job-uid",
        round=2,
        stage=Stage.TRAIN,
        attempt=3,
        restarts=1,
        created_at=T0,
        owners=("run-uid", "another"),
        completions=4,
        active=4,
        started_at=after(1),
    )


@pytest.mark.parametrize(
    ("status", "state", "reason", "finished"),
    [
        ({"conditions": [condition("Complete", "CompletionsReached")], "completionTime": "2026-08-01T12:04:00Z"},
         JobState.COMPLETE, "CompletionsReached", 240),
        ({"conditions": [condition("FailureTarget"), condition("Failed", "PodFailurePolicy")]},
         JobState.FAILED, "PodFailurePolicy", 300),
        ({"conditions": [condition("FailureTarget", "PodFailurePolicy")]}, JobState.ACTIVE, "", None),
        ({"conditions": [condition("Failed", status="False")]}, JobState.ACTIVE, "", None),
        ({"conditions": [condition("Suspended")]}, JobState.ACTIVE, "", None),
    ],
)  # fmt: skip
def test_how_a_job_ended(status, state, reason, finished):
    job = job_from_object(job_object(status))
    assert (job.state, job.reason) == (state, reason)
    assert job.finished_at == (None if finished is None else after(finished))


def test_a_job_held_and_a_job_being_deleted():
    held = job_object(deletionTimestamp=CREATED)
    held["spec"]["suspend"] = True
    job = job_from_object(held)
    assert (job.suspended, job.deleting) == (True, True)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        LABELS | {"reflection.training/stage": "deploy"},
        LABELS | {"reflection.training/round": "0"},
        LABELS | {"reflection.training/round": "11"},
        LABELS | {"reflection.training/round": "1_0"},
        LABELS | {"reflection.training/attempt": "\u0663"},
        LABELS | {"reflection.training/attempt": "-1"},
        LABELS | {"reflection.training/attempt": "9" * 30},
        LABELS | {"reflection.training/attempt": None},
        ["not", "a", "map"],
    ],
)
def test_labels_that_are_no_attempt_of_ours(labels):
    assert job_from_object(job_object(labels=labels)) is None


def test_the_jobs_that_we_render_are_read_back():
    run = resource(rollout={"workers": 3})
    for stage in Stage:
        rendered = next(
            each for each in build(run, 1, stage, 2, 1, OperatorSettings()) if each["kind"] == "Job"
        )
        rendered["metadata"] |= {"creationTimestamp": CREATED, "uid": "x"}
        job = job_from_object(rendered)
        assert (job.round, job.stage, job.attempt, job.restarts) == (1, stage, 2, 1)
        assert job.name == Attempt(run, 1, stage, 2, 1).name
        assert job.completions == (3 if stage is Stage.ROLLOUT else 1)


OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "job-uid", "controller": True}


def pod_object(status=None, **metadata) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "p-0-x",
            "labels": {"batch.kubernetes.io/job-name": "j", "batch.kubernetes.io/job-completion-index": "2"},
            "ownerReferences": [OWNER],
        }
        | metadata,
        "spec": {"nodeName": "gpu-7"},
        "status": {"phase": "Running"} | (status or {}),
    }


def container(name="stage", **state):
    return {"name": name, "state": state}


def counted(name, restarts):
    return container(name, running={}) | {"restartCount": restarts}


ENDED = {
    "exitCode": 137,
    "reason": "OOMKilled",
    "message": "last words",
    "finishedAt": "2026-08-01T12:01:00Z",
}


def test_a_running_pod():
    assert pod_from_object(pod_object(creationTimestamp=CREATED)) == ObservedPod(
        name="p-0-x",
        job_name="j",
        job_uid="job-uid",
        index=2,
        created_at=T0,
        phase=PodPhase.RUNNING,
        node="gpu-7",
    )
    assert pod_from_object(pod_object()).created_at is None


@pytest.mark.parametrize(
    ("status", "field", "value"),
    [
        ({"phase": "Failed", "containerStatuses": [container(terminated=ENDED)]}, "terminated",
         Terminated(137, "OOMKilled", "last words", after(60))),
        ({"containerStatuses": [container("proxy", terminated={"exitCode": 2}), container(terminated=ENDED)]}, "terminated",
         Terminated(137, "OOMKilled", "last words", after(60))),
        ({"containerStatuses": [container(terminated={"exitCode": 0})],
          "initContainerStatuses": [container("verifier", terminated={"exitCode": 9})]}, "terminated", Terminated(9)),
        ({"phase": "Succeeded", "containerStatuses": [container(terminated={"exitCode": 0})],
          "initContainerStatuses": [container("verifier", terminated={"exitCode": 143})]}, "terminated", Terminated(0)),
        ({"containerStatuses": [container(terminated={"exitCode": "137"})]}, "terminated", None),
        ({"containerStatuses": [container(waiting={"reason": "ImagePullBackOff", "message": "no such image"})]}, "waiting",
         Waiting("ImagePullBackOff", "no such image")),
        ({"containerStatuses": [container(waiting={"reason": "PodInitializing"})],
          "initContainerStatuses": [container("verifier", waiting={"reason": "CrashLoopBackOff"})]}, "waiting",
         Waiting("CrashLoopBackOff")),
        ({"initContainerStatuses": [container("verifier", waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"})
                                    | {"lastState": {"terminated": ENDED}}]}, "waiting",
         Waiting("CrashLoopBackOff", "back-off 10s", Terminated(137, "OOMKilled", "last words", after(60)))),
        ({"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]}, "waiting", None),
        ({"initContainerStatuses": [counted("proxy", 1), counted("verifier", 2) | {"lastState": {"terminated": ENDED}}],
          "containerStatuses": [counted("stage", 0)]}, "restarted",
         Restarted("verifier", 2, Terminated(137, "OOMKilled", "last words", after(60)))),
        ({"initContainerStatuses": [counted("verifier", 1)]}, "restarted", Restarted("verifier", 1)),
        ({"initContainerStatuses": [counted("verifier", 0)]}, "restarted", None),
        ({"initContainerStatuses": [counted("verifier", "7")]}, "restarted", None),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]},
         "unschedulable", "0/3 nodes"),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, "unschedulable", None),
        ({"conditions": [condition("DisruptionTarget", "PreemptionByScheduler", "for a more important pod")]},
         "disrupted", "PreemptionByScheduler: for a more important pod"),
        ({"conditions": [condition("DisruptionTarget", status="False")]}, "disrupted", None),
        ({"phase": "Sleeping"}, "phase", PodPhase.UNKNOWN),
        ({"phase": "Failed", "reason": "Evicted"}, "reason", "Evicted"),
    ],
)  # fmt: skip
def test_what_is_read_of_a_pod(status, field, value):
    assert getattr(pod_from_object(pod_object(status)), field) == value


def test_a_pod_that_no_job_made():
    assert pod_from_object(pod_object(labels={}, ownerReferences=[])) is None


@pytest.mark.parametrize(
    "owner",
    [
        OWNER | {"controller": False},
        OWNER | {"kind": "CronJob"},
        OWNER | {"apiVersion": "batch.example.com/v1"},
        OWNER | {"uid": None},
        "not a map",
    ],
)
def test_a_pod_that_only_has_the_labels_of_a_job(owner):
    """It may have been left by a Job that is gone: it is waited for, and nothing else."""
    pod = pod_from_object(pod_object(ownerReferences=[owner]))
    assert (pod.job_name, pod.job_uid) == ("j", "")


def test_the_job_is_its_owner_and_not_what_its_label_says():
    pod = pod_from_object(pod_object(labels={"batch.kubernetes.io/job-name": "another"}))
    assert (pod.job_name, pod.job_uid) == ("j", "job-uid")


KEYS = st.sampled_from(
    ["metadata", "spec", "status", "labels", "annotations", "name", "uid", "conditions", "type", "reason", "message",
     "containerStatuses", "state", "terminated", "waiting", "exitCode", "finishedAt", "creationTimestamp", "phase", "suspend",
     "completions", "active", "restartCount", "lastState", "initContainerStatuses",
     "ownerReferences", "kind", "apiVersion", "controller", "batch.kubernetes.io/job-name", *LABELS]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([CREATED, "True", "Failed", "train", "1", "0001-01-01T00:00:00+23:59", "j"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


@given(
    st.dictionaries(KEYS, JSON, max_size=5),
    st.dictionaries(KEYS, JSON, max_size=5),
    st.dictionaries(KEYS, JSON),
)
def test_anything_may_bear_our_labels(metadata, spec, status):
    ours = job_object()
    owner = OWNER | {"name": ours["metadata"]["name"]}
    job = job_from_object({**ours, "spec": spec, "status": status})
    pod = pod_from_object({**pod_object(ownerReferences=[owner]), "spec": spec, "status": status})
    assert job is not None
    assert pod is not None
    decided(resource(rounds=2), [job], [pod])
    for parse in (job_from_object, pod_from_object):
        parse({"metadata": metadata, "spec": spec, "status": status})
    odd = job_from_object({**ours, "metadata": ours["metadata"] | metadata, "status": status})
    assert odd is None or 1 <= odd.round <= 10
