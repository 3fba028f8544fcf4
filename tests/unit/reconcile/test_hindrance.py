"""What keeps pods from starting, in the Ready condition."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.reasons import NEW_JOB
from reflection_api.stages import Stage
from reflection_api.status import Phase
from reflection_operator.children.labels import UID_LABEL
from reflection_operator.reconcile.observed import PodPhase, Terminated, Waiting

from .builders import (
    UID,
    after,
    crashed,
    decided,
    job,
    pod,
    resource,
    said_of,
    status_at,
    status_of,
    told,
    truth,
)

ROLLOUT = job(Stage.ROLLOUT, completions=2)
NO_NODE = {
    "phase": PodPhase.PENDING,
    "node": None,
    "unschedulable": "0/3 nodes are available: 3 Insufficient memory.",
}


def hindered(**fields):
    return pod(ROLLOUT, **{"phase": PodPhase.PENDING} | fields)


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        (NO_NODE, "Unschedulable", "finds no node: 0/3 nodes are available: 3 Insufficient memory.; free or add capacity"),
        ({"waiting": Waiting("ImagePullBackOff", 'Back-off pulling image "nope"')}, "ImagePullFailed",
         'cannot start: ImagePullBackOff Back-off pulling image "nope"; correct the image'),
        ({"waiting": Waiting("InvalidImageName", "")}, "ImagePullFailed", "on node node-1 cannot start: InvalidImageName"),
        ({"waiting": Waiting("CreateContainerConfigError", 'secret "s3-creds" not found')}, "SecretNotFound",
         'secret "s3-creds" not found; create the Secret; the run goes on by itself'),
        ({"waiting": Waiting("CreateContainerConfigError", "container has runAsNonRoot")}, "PodConfigInvalid",
         "container has runAsNonRoot; correct spec.pods"),
        ({"waiting": Waiting("CrashLoopBackOff", "back-off 10s")}, "PodConfigInvalid", "CrashLoopBackOff"),
        ({"waiting": Waiting("CrashLoopBackOff", "back-off 10s", Terminated(3, "Error", "Traceback\nKeyError: 'PORT'"))},
         "PodConfigInvalid", "CrashLoopBackOff back-off 10s; it ended with exit code 3: KeyError: 'PORT'; correct"),
        ({"waiting": Waiting("CrashLoopBackOff", "back-off 10s", Terminated(137, "OOMKilled"))}, "PodConfigInvalid",
         "back-off 10s; it was killed for using too much memory (exit 137, out of memory); correct"),
        ({"mounts_refused": 'MountVolume.SetUp failed for volume "reflect-ca" : secret "minio-ca" not found'}, "SecretNotFound",
         'on node node-1 gets no volume: MountVolume.SetUp failed for volume "reflect-ca" : secret "minio-ca" not found; c'),
        ({"mounts_refused": 'MountVolume.SetUp failed for volume "reflect-ca" : references non-existent secret key: ca.crt'},
         "SecretNotFound", "references non-existent secret key: ca.crt; create the Secret"),
        ({"mounts_refused": 'MountVolume.SetUp failed for volume "x" : configmap "y" not found'}, "PodConfigInvalid",
         'configmap "y" not found; correct spec.pods'),
    ],
)  # fmt: skip
def test_a_pod_that_cannot_start(fields, reason, words):
    decision = decided(resource(status_at(Stage.ROLLOUT)), [ROLLOUT], [hindered(**fields)])
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", reason)
    assert words in ready.message
    # A Secret is named by spec.storage, too, and is there as soon as it is created.
    assert ready.message.endswith(NEW_JOB) is (reason != "SecretNotFound")
    assert truth(decision, ConditionType.RECONCILING) == "True"
    assert truth(decision, ConditionType.SUCCEEDED) == "Unknown"
    assert status_of(decision).phase is Phase.PENDING
    assert told(decision) == [reason]
    assert decision.events[0].type == "Warning"


def test_it_is_told_once_and_forgotten_when_it_is_over():
    run = resource(status_of(decided(resource(status_at(Stage.ROLLOUT)), [ROLLOUT], [hindered(**NO_NODE)])))
    assert told(decided(run, [ROLLOUT], [hindered(**NO_NODE)])) == []
    over = decided(run, [ROLLOUT], [pod(ROLLOUT)])
    assert truth(over, ConditionType.READY) == "True"
    assert truth(over, ConditionType.RECONCILING) == "absent"


def test_one_running_shard_is_enough_but_a_training_needs_all_nodes():
    pods = [pod(ROLLOUT), hindered(**NO_NODE)]
    assert truth(decided(resource(status_at(Stage.ROLLOUT)), [ROLLOUT], pods), ConditionType.READY) == "True"
    training = job(Stage.TRAIN, completions=2)
    pods = [pod(training), pod(training, 1, **NO_NODE)]
    assert truth(decided(resource(status_at(Stage.TRAIN)), [training], pods), ConditionType.READY) == "False"


def test_a_replacement_that_finds_no_node_is_told_of():
    alone = job(Stage.ROLLOUT)
    pods = [crashed(alone, 143, disrupted="drained"), pod(alone, **NO_NODE)]
    decision = decided(resource(status_at(Stage.ROLLOUT)), [alone], pods)
    assert said_of(decision, ConditionType.READY).reason == "Unschedulable"


def test_pods_that_are_not_even_created():
    words = 'error looking up service account ml/typo: serviceaccount "typo" not found'
    refused = replace(ROLLOUT, pods_refused=words)
    decision = decided(resource(status_at(Stage.ROLLOUT)), [refused], [])
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", "ChildRefused")
    assert f"pods of Job {ROLLOUT.name} are not created: {words}; correct what" in ready.message
    assert ready.message.endswith(NEW_JOB)
    assert told(decision) == ["ChildRefused"]
    # One that does its work is enough, and a training that misses a node is told of.
    some = decided(resource(status_at(Stage.ROLLOUT)), [refused], [pod(ROLLOUT)])
    assert truth(some, ConditionType.READY) == "True"
    training = replace(job(Stage.TRAIN, completions=2), pods_refused=words)
    some = decided(resource(status_at(Stage.TRAIN)), [training], [pod(training)])
    assert said_of(some, ConditionType.READY).reason == "ChildRefused"


def test_pods_that_are_merely_slow_to_start():
    decision = decided(resource(status_at(Stage.ROLLOUT)), [ROLLOUT], [hindered()])
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason) == ("True", "Pending")
    assert status_of(decision).phase is Phase.PENDING


def test_pods_at_work_that_lost_their_labels_are_told_of():
    """They are seen by nobody but their Job, whose end the run goes on with."""
    training = job(Stage.TRAIN, completions=2, active=2, started_at=after(60))
    run, seen = resource(status_at(Stage.TRAIN)), [pod(training)]
    early = decided(run, [training], seen, at=66)
    assert said_of(early, ConditionType.READY).reason == "Pending"
    assert early.look_again == timedelta(seconds=4)
    decision = decided(run, [training], seen, at=70)
    ready = said_of(decision, ConditionType.READY)
    assert (ready.status, ready.reason, status_of(decision).phase) == ("True", "Progressing", Phase.TRAINING)
    assert f"Job {training.name} has 1 pod at work without the labels by which pods of a run" in ready.message
    assert (
        f"`kubectl label pods -n ml -l batch.kubernetes.io/job-name={training.name} {UID_LABEL}={UID}`"
        in ready.message
    )
    assert decision.look_again == timedelta(minutes=5)
    assert (decision.create, decision.delete, decision.events) == ((), (), ())
    both = [*seen, pod(training, 1)]
    assert "labels" not in said_of(decided(run, [training], both, at=70), ConditionType.READY).message
