"""Services that lead out of the cluster, to programs beside its control plane."""

from __future__ import annotations

from typing import Any

from ..cluster import CORE, Cluster, Obj
from .network import CONTROL


def lead_out(cluster: Cluster, namespace: str, name: str, ports: list[Obj], **spec: Any) -> None:
    """A Service of that name, whose ports are those of the control plane's machine; `spec` is more of its spec."""
    cluster.create(
        f"{CORE}/namespaces/{namespace}/services",
        {"metadata": {"name": name}, "spec": spec | {"ports": ports}},
    )
    cluster.create(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [CONTROL]}],
            "ports": ports,
        },
    )
