"""The Service through which the nodes of a training find the first one."""

from __future__ import annotations

from reflection_api.stages import Stage

from .attempt import Attempt, Child

RENDEZVOUS_PORT = 29500


def needs_rendezvous(attempt: Attempt) -> bool:
    """Whether the pods of the attempt talk to each other."""
    return attempt.stage is Stage.TRAIN and attempt.resource.spec.training.nodes > 1


def rendezvous_host(attempt: Attempt) -> str:
    """Host name of the first pod, which the cluster's DNS completes with the namespace."""
    return f"{attempt.name}-0.{attempt.name}"


def service(attempt: Attempt) -> Child:
    """A headless Service. Addresses are published before pods are ready: a training is ready only once all have met."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": attempt.metadata(),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": attempt.selector,
            "ports": [{"name": "rendezvous", "port": RENDEZVOUS_PORT}],
        },
    }
