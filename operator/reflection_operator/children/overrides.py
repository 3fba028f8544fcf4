"""What a resource changes on the pods of a stage: `spec.pods.common` with the stage's own over it.

- A single value (image, serviceAccountName, affinity, ...) of the stage replaces the common one.
- Maps (nodeSelector, labels, annotations, and `resources` down to each request and limit) are merged, the stage's values win.
- Lists whose entries have an identity (env, volumes and imagePullSecrets by name, volumeMounts by mountPath) are merged by it,
  the stage's entry replaces the common one.
- Other lists (tolerations, topologySpreadConstraints, envFrom) are the common entries followed by the stage's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reflection_api.spec import PodSpecOverrides, PodsSpec
from reflection_api.stages import Stage


def overrides_for(pods: PodsSpec, stage: Stage) -> PodSpecOverrides:
    """The changes to the pods of a stage."""
    own = {
        Stage.ROLLOUT: pods.rollout,
        Stage.VERIFY: pods.verifier,
        Stage.TRAIN: pods.training,
        Stage.EVALUATE: pods.evaluation,
        Stage.REPORT: pods.report,
        # It does what a report does: a short look at the storage, with the same keys.
        Stage.CLEANUP: pods.report,
    }
    return merge(pods.common, own[stage])


def merge(common: PodSpecOverrides, own: PodSpecOverrides) -> PodSpecOverrides:
    """Both together, as this module's docstring says."""
    # Not validated again: the bounds on lists are for what a person writes, two of them may well be longer.
    return PodSpecOverrides.model_construct(
        image=own.image or common.image,
        service_account_name=own.service_account_name or common.service_account_name,
        image_pull_secrets=merge_lists(common.image_pull_secrets, own.image_pull_secrets),
        node_selector=common.node_selector | own.node_selector,
        tolerations=common.tolerations + own.tolerations,
        affinity=common.affinity if own.affinity is None else own.affinity,
        topology_spread_constraints=common.topology_spread_constraints + own.topology_spread_constraints,
        priority_class_name=own.priority_class_name or common.priority_class_name,
        runtime_class_name=own.runtime_class_name or common.runtime_class_name,
        env=merge_lists(common.env, own.env),
        env_from=common.env_from + own.env_from,
        resources=merge_maps(common.resources, own.resources),
        volumes=merge_lists(common.volumes, own.volumes),
        volume_mounts=merge_lists(common.volume_mounts, own.volume_mounts, key="mountPath"),
        labels=common.labels | own.labels,
        annotations=common.annotations | own.annotations,
    )


def merge_lists(*lists: Iterable[dict[str, Any]], key: str = "name") -> list[dict[str, Any]]:
    """The entries of all lists; of those with the same key the last one stays, in the place of the first.

    An entry without a usable key is kept, for the API server to name.
    """
    merged: dict[str | int, dict[str, Any]] = {}
    for position, entry in enumerate(entry for entries in lists for entry in entries):
        identity = entry.get(key)
        merged[identity if isinstance(identity, str) else position] = entry
    return list(merged.values())


def merge_maps(under: Any, over: Any) -> Any:
    """Two JSON values, map into map down to the leaves; `over` wins unless it is absent."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {key: merge_maps(under.get(key), over.get(key)) for key in under | over}
    return under if over is None else over
