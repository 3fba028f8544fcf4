"""The kinds of objects that the operator deals with, and what it does with each: its permissions are generated from this.

A request with a verb that is not here is refused before it is sent, so that the permissions can be neither too few nor too
many without a test noticing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reflection_api.resource import GROUP, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, by its place in the API."""

    group: str
    version: str
    plural: str
    verbs: tuple[str, ...]
    subresource: str = ""
    only: str = ""
    """Name of the only object that is dealt with; empty: any. Whoever creates objects cannot be bound to a name."""

    @property
    def resource(self) -> str:
        """What it is called in permissions."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural

    @property
    def root(self) -> str:
        """Path below which its objects are."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def rules(self) -> list[dict[str, Any]]:
        """What a role must say so that this can be done."""
        rule: dict[str, Any] = {"apiGroups": [self.group], "resources": [self.resource]}
        if not self.only:
            return [rule | {"verbs": list(self.verbs)}]
        bound = [verb for verb in self.verbs if verb != "create"]
        return [rule | {"verbs": ["create"]}, rule | {"resourceNames": [self.only], "verbs": bound}]

    def path(self, namespace: str | None = None, name: str = "") -> str:
        """Path of an object, or of a collection."""
        parts = (
            self.root,
            f"namespaces/{namespace}" if namespace else "",
            self.plural,
            name,
            self.subresource,
        )
        return "/".join(part for part in parts if part)


RUNS = Kind(GROUP, VERSION, PLURAL, ("get", "list", "watch", "patch", "delete"))
"""Patched is one thing alone: our finalizer, where `deletionPolicy` is Delete."""
RUN_STATUS = Kind(GROUP, VERSION, PLURAL, ("update",), "status")
RUN_FINALIZERS = Kind(GROUP, VERSION, PLURAL, ("update",), "finalizers")
"""Never requested: a cluster may ask for it of whoever names a resource as the blocking owner of a child."""
JOBS = Kind("batch", "v1", "jobs", ("get", "list", "watch", "create", "patch", "delete"))
PODS = Kind("", "v1", "pods", ("list", "watch"))
CONFIG_MAPS = Kind("", "v1", "configmaps", ("get", "create", "delete"))
"""Deleted is one of ours alone that was made of a spec that has changed since."""
SERVICES = Kind("", "v1", "services", ("get", "create"))
EVENTS = Kind("", "v1", "events", ("list", "create"))
LEASES = Kind("coordination.k8s.io", "v1", "leases", ("get", "create", "update"))
AUTHORITY = Kind("", "v1", "secrets", ("get", "create", "update"), only="reflect-operator-progress")
"""The authority that signs the certificate of the progress endpoint: no other Secret is read or written."""
TOKEN_REVIEWS = Kind("authentication.k8s.io", "v1", "tokenreviews", ("create",))

IN_RUN_NAMESPACES = (RUNS, RUN_STATUS, RUN_FINALIZERS, JOBS, PODS, CONFIG_MAPS, SERVICES, EVENTS)
IN_OWN_NAMESPACE = (LEASES,)
FOR_PROGRESS_IN_OWN_NAMESPACE = (AUTHORITY,)
FOR_PROGRESS_IN_CLUSTER = (TOKEN_REVIEWS,)
"""Reviews of tokens belong to no namespace, so that a ClusterRole is needed for them alone."""

CHILDREN = {"ConfigMap": CONFIG_MAPS, "Service": SERVICES, "Job": JOBS}
"""The kinds of children, by the word in their manifests."""
