"""What operators asked of an API server, from its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .cluster import Cluster, Obj

WRITES = ("create", "update", "patch", "delete")


def of_operators(cluster: Cluster) -> Iterator[tuple[str, Obj]]:
    """The requests of all operators that are started as OperatorProcess does it, with the namespace of each."""
    with cluster.plane.audit_log.open() as log:
        for line in log:
            entry = json.loads(line)
            kind, _, rest = entry["user"].get("username", "").partition(":serviceaccount:")
            namespace, _, account = rest.partition(":")
            if (kind, account) == ("system", "reflect-operator"):
                yield namespace, entry


def of_operator(cluster: Cluster, namespace: str) -> list[Obj]:
    """The requests of the operator of a namespace."""
    return [entry for place, entry in of_operators(cluster) if place == namespace]


def done(entry: Obj) -> str:
    """Verb and resource of a request that was carried out; empty for one that was refused."""
    carried_out = entry["responseStatus"]["code"] < 300
    return f"{entry['verb']} {entry['objectRef']['resource']}" if carried_out else ""
