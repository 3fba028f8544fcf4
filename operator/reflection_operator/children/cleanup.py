"""The Job that deletes a run's artefacts when the resource is deleted: it must outlive what the resource owns.

A resource that is deleted in the foreground takes everything that it owns with it at once. So this Job has no owner, and all
that it needs is in it. The operator deletes it when it is done; should nobody be there to do that, its own times end it.
"""

from __future__ import annotations

from reflection_api.contract import StageConfig

from ..settings import OperatorSettings
from .attempt import Attempt, Child
from .config_map import stage_json
from .job import job
from .labels import CONFIG_ANNOTATION

_ACTIVE_SECONDS = 3600
_KEPT_SECONDS = 600


def cleanup_job(attempt: Attempt, config: StageConfig, settings: OperatorSettings) -> Child:
    """The Job of an attempt at the clean-up."""
    made = job(attempt, settings)
    del made["metadata"]["ownerReferences"]
    made["spec"] |= {
        "activeDeadlineSeconds": _ACTIVE_SECONDS,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
    }
    pod = made["spec"]["template"]["metadata"]
    pod["annotations"] = pod.get("annotations", {}) | {CONFIG_ANNOTATION: stage_json(config)}
    return made
