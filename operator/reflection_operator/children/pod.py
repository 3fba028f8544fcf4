"""The pod of a stage: one container, and beside it a container verifier, under the restricted Pod Security Standard."""

from __future__ import annotations

from typing import Any

from reflection_api.spec import PodSpecOverrides, ReflectionTrainingSpec
from reflection_api.stages import Stage

from ..settings import OperatorSettings
from .attempt import Attempt, Child
from .environment import TERMINATION_LOG, environment
from .labels import STAGE_CONTAINER
from .overrides import merge_lists, merge_maps, overrides_for
from .own_verifier import sidecars
from .service import needs_rendezvous
from .volumes import volumes_and_mounts

USER = 1000

POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_template(attempt: Attempt, settings: OperatorSettings) -> Child:
    """The template of the attempt's pods, with the changes that the resource asks for."""
    changes = overrides_for(attempt.resource.spec.pods, attempt.stage)
    volumes, mounts = volumes_and_mounts(attempt, changes)
    spec = {
        "restartPolicy": "Never",
        # Stages talk to storage, not to the API server.
        "automountServiceAccountToken": False,
        # Without this, every Service of the namespace adds variables to the environment.
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": grace_seconds(attempt.stage, settings),
        "subdomain": attempt.name if needs_rendezvous(attempt) else None,
        "serviceAccountName": changes.service_account_name,
        "imagePullSecrets": changes.image_pull_secrets,
        "priorityClassName": changes.priority_class_name,
        "runtimeClassName": changes.runtime_class_name,
        "nodeSelector": changes.node_selector,
        "tolerations": changes.tolerations,
        "affinity": changes.affinity,
        "topologySpreadConstraints": changes.topology_spread_constraints,
        "initContainers": sidecars(attempt, settings, CONTAINER_SECURITY),
        "containers": [container(attempt, settings, changes, mounts)],
        "volumes": volumes,
    }
    metadata = {"labels": changes.labels | attempt.labels, "annotations": changes.annotations}
    return {"metadata": _set(metadata), "spec": _set(spec)}


def container(
    attempt: Attempt, settings: OperatorSettings, changes: PodSpecOverrides, mounts: list[Child]
) -> Child:
    """The container that runs the stage."""
    return _set(
        {
            "name": STAGE_CONTAINER,
            "image": changes.image or settings.trainer_image,
            "imagePullPolicy": settings.image_pull_policy,
            # The path of the StageConfig is in the environment, so that the command is the same on a laptop.
            "command": ["python", "-m", "reflection_trainer", attempt.stage.value],
            "env": variables(attempt, changes),
            "envFrom": changes.env_from,
            "resources": resources(attempt, settings, changes),
            "volumeMounts": mounts,
            "securityContext": CONTAINER_SECURITY,
            "terminationMessagePath": TERMINATION_LOG,
            # A process that is killed leaves no message: then the end of its log has to say why.
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
    )


def variables(attempt: Attempt, changes: PodSpecOverrides) -> list[Child]:
    """The stage contract's variables, then the resource's: those may refer to the former but not replace them."""
    contract = environment(attempt)
    return merge_lists(contract, changes.env, contract)


def resources(attempt: Attempt, settings: OperatorSettings, changes: PodSpecOverrides) -> Any:
    """Requests and limits of the container; GPUs are limits only, since Kubernetes requests what it limits."""
    gpus = gpu_count(attempt.resource.spec, attempt.stage)
    if not gpus:
        return changes.resources
    return merge_maps(changes.resources, {"limits": {settings.gpu_resource: str(gpus)}})


def grace_seconds(stage: Stage, settings: OperatorSettings) -> int | None:
    """Time to end in order. Stages whose shards are small need no more than Kubernetes gives by itself."""
    return settings.training_grace_seconds if stage is Stage.TRAIN else None


def gpu_count(spec: ReflectionTrainingSpec, stage: Stage) -> int:
    """GPUs of each pod of a stage. Evaluation samples answers as rollout does."""
    match stage:
        case Stage.ROLLOUT | Stage.EVALUATE:
            return spec.rollout.gpus_per_worker
        case Stage.TRAIN:
            return spec.training.gpus_per_node
        case Stage.VERIFY | Stage.REPORT | Stage.CLEANUP:
            return 0


def _set(fields: Child) -> Child:
    """The fields that have a value."""
    return {key: value for key, value in fields.items() if value not in (None, [], {}, "")}
