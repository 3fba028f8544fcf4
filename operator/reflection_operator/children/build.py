"""All Kubernetes objects of one attempt at a stage."""

from __future__ import annotations

from copy import deepcopy

from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage

from ..settings import OperatorSettings
from .attempt import Attempt, Child
from .cleanup import cleanup_job
from .config_map import config_map
from .job import job
from .progress_place import ProgressPlace
from .resolve import stage_config
from .service import needs_rendezvous, service


def build(
    resource: ReflectionTraining,
    round_number: int,
    stage: Stage,
    attempt: int,
    restarts: int,
    settings: OperatorSettings,
    progress: ProgressPlace | None = None,
) -> list[Child]:
    """The ConfigMap, the Service where pods must find each other, and the Job of an attempt, in the order to create them.

    The Job comes last: once it exists, everything that its pods need exists too.
    """
    this = Attempt(resource, round_number, stage, attempt, restarts, progress)
    config = stage_config(resource, round_number, stage, attempt)
    if stage is Stage.CLEANUP:
        children = [cleanup_job(this, config, settings)]
    else:
        children = [config_map(this, config)]
        if needs_rendezvous(this):
            children.append(service(this))
        children.append(job(this, settings))
    # Parts of the resource stand in them, and the resource must not change with what somebody does to a child.
    return [deepcopy(child) for child in children]
