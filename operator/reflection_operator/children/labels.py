"""Labels and annotations of our children: the only way in which the operator finds them again."""

from __future__ import annotations

from collections.abc import Mapping

from reflection_api.resource import GROUP, Metadata
from reflection_api.stages import Stage

RUN_LABEL = f"{GROUP}/run"
"""Name of the resource, for people: one that is deleted and created again has the same."""
UID_LABEL = f"{GROUP}/run-uid"
"""UID of the resource: what the operator selects by."""
ROUND_LABEL = f"{GROUP}/round"
STAGE_LABEL = f"{GROUP}/stage"
ATTEMPT_LABEL = f"{GROUP}/attempt"

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
"""Kubernetes' own, on the pods of a Job."""

RESTARTS_ANNOTATION = f"{GROUP}/restarts"
"""On a Job: attempts at its stage that failed before it and count towards maxRestarts."""

CONFIG_ANNOTATION = f"{GROUP}/stage-config"
"""On the pod of a clean-up: its StageConfig."""

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
APP_NAME = "reflection-training"
MANAGER = "reflect-operator"

STAGE_CONTAINER = "stage"
"""Name of the container that runs the stage; its termination message is the stage's result."""

VERIFIER_CONTAINER = "verifier"
"""Name of the container that a container verifier runs in."""

COPIED_LABELS = ("kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class")
"""The resource's own labels that its Jobs get too. No others: with the tracking label of a GitOps tool on them, that tool
would delete the Jobs because they are not in its repository."""


def child_labels(run: Metadata, round_number: int, stage: Stage, attempt: int) -> dict[str, str]:
    """Labels of the Job, ConfigMap, Service and pods of one attempt."""
    return {
        NAME_LABEL: APP_NAME,
        INSTANCE_LABEL: run.name,
        COMPONENT_LABEL: stage.value,
        MANAGED_BY_LABEL: MANAGER,
        RUN_LABEL: run.name,
        **attempt_selector(run.uid, round_number, stage, attempt),
    }


def attempt_selector(uid: str, round_number: int, stage: Stage, attempt: int) -> dict[str, str]:
    """The labels that no other attempt of any run has."""
    return {
        UID_LABEL: uid,
        ROUND_LABEL: str(round_number),
        STAGE_LABEL: stage.value,
        ATTEMPT_LABEL: str(attempt),
    }


def copied_labels(labels: Mapping[str, str], stage: Stage) -> dict[str, str]:
    """The labels of a resource that its Jobs get too; not those of a clean-up: nobody waits for a quota to delete something."""
    return {} if stage is Stage.CLEANUP else {key: labels[key] for key in COPIED_LABELS if key in labels}
