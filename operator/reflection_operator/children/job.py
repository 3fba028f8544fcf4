"""The Job of an attempt: how many pods, and what its failure means."""

from __future__ import annotations

from reflection_api.spec import ReflectionTrainingSpec
from reflection_api.stages import FINAL_EXIT_CODES, Stage

from ..settings import OperatorSettings
from .attempt import Attempt, Child
from .labels import RESTARTS_ANNOTATION, STAGE_CONTAINER, copied_labels
from .pod import pod_template


def job(attempt: Attempt, settings: OperatorSettings) -> Child:
    """An Indexed Job that never restarts by itself.

    A failed pod ends the attempt (backoffLimit 0), because the operator decides about the next one: with the whole of a
    training, from its last checkpoint, after a wait, and not after an error that would only come again.
    """
    metadata = attempt.metadata()
    metadata["labels"] |= copied_labels(attempt.resource.metadata.labels, attempt.stage)
    metadata["annotations"] = {RESTARTS_ANNOTATION: str(attempt.restarts)}
    pods = pod_count(attempt.resource.spec, attempt.stage)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": pods,
            "parallelism": pods,
            "backoffLimit": 0,
            # A replacement starts only when its predecessor is gone: two pods never write one shard.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": failure_rules(attempt.stage)},
            "template": pod_template(attempt, settings),
        },
    }


def pod_count(spec: ReflectionTrainingSpec, stage: Stage) -> int:
    """Pods that work on a stage at the same time."""
    match stage:
        case Stage.ROLLOUT:
            return spec.rollout.workers
        case Stage.TRAIN:
            return spec.training.nodes
        case _:
            return 1


def failure_rules(stage: Stage) -> list[Child]:
    """What a failed pod means to the Job; the first rule that matches decides.

    A disrupted pod (eviction, preemption, drained node) is replaced and skips the shards that are done. Not in a training:
    there the other ranks would hang waiting for the lost one, so the attempt ends and the next one is not counted.
    """
    final = {
        "action": "FailJob",
        "onExitCodes": {
            "containerName": STAGE_CONTAINER,
            "operator": "In",
            "values": sorted(int(code) for code in FINAL_EXIT_CODES),
        },
    }
    disruption = {
        "action": "FailJob" if stage is Stage.TRAIN else "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return [final, disruption]
