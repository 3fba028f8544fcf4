"""Objects as an API server gives them, in few words."""

from __future__ import annotations

from typing import Any

UID = "1a2b3c4d-0000-4000-8000-000000000001"


def run(version: int = 1, *, uid: str = UID, namespace: str = "ml", **fields: Any) -> dict[str, Any]:
    """A resource."""
    spec = {
        "model": {"uri": "hf://org/tiny"},
        "task": {"prompts": {"uri": "s3://team/train.jsonl"}, "verifier": {"builtin": {"name": "countdown"}}},
        "storage": {"uri": "s3://team/runs"},
    }
    metadata = {"name": "countdown", "namespace": namespace, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata | {"generation": 1}, "spec": spec} | fields


def job(
    version: int = 1, *, uid: str = "job-1", of: str = UID, namespace: str = "ml", **labels: str
) -> dict[str, Any]:
    """A Job of the first rollout."""
    own = {
        "reflection.training/run-uid": of,
        "reflection.training/round": "1",
        "reflection.training/stage": "rollout",
        "reflection.training/attempt": "1",
    }
    own |= labels
    return {
        "metadata": {
            "name": f"countdown-{of[:8]}-r1-{own['reflection.training/stage']}-1",
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-08-01T12:00:00Z",
            "labels": own,
        },
        "spec": {"completions": 1},
        "status": {},
    }


def pod(
    version: int = 1,
    *,
    uid: str = "pod-1",
    of: str = UID,
    namespace: str = "ml",
    stage: str = "rollout",
    index: int = 0,
    owner: str = "job-1",
) -> dict[str, Any]:
    """Its pod, or one of another stage's Job; with no owner one that only has the labels."""
    name = f"countdown-{of[:8]}-r1-{stage}-1"
    labels = {"reflection.training/run-uid": of, "batch.kubernetes.io/job-name": name}
    metadata = {
        "name": f"{name}-{index}-x",
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(version),
    }
    if owner:
        controller = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": owner, "controller": True}
        metadata["ownerReferences"] = [controller]
    return {"metadata": metadata | {"labels": labels}, "spec": {}, "status": {"phase": "Running"}}
