"""The cluster's DNS: CoreDNS beside the control plane, behind the Service that kubelet tells every pod about."""

from __future__ import annotations

from pathlib import Path

from ..cluster import Cluster
from ..go_tools import go_tool
from .control import ControlPlaneWithNodes
from .network import CONTROL, DNS_SERVICE
from .services import lead_out

_PORTS = [{"name": "dns", "protocol": "UDP", "port": 53}, {"name": "dns-tcp", "protocol": "TCP", "port": 53}]


def find_coredns() -> Path:
    """Built (minutes, once; kept in the cache folder)."""
    return go_tool("coredns", ".", name="coredns")


def start_dns(plane: ControlPlaneWithNodes, cluster: Cluster) -> None:
    """Start it and lead the Service to it."""
    kubeconfig = plane.kubeconfig_for("dns", "system:masters", server=plane.inner_server)
    file = plane.folder / "Corefile"
    kubernetes = f"kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {kubeconfig}\n  }}"
    file.write_text(f".:53 {{\n  bind {CONTROL}\n  errors\n  {kubernetes}\n}}\n")
    plane.machine.start("coredns", [find_coredns(), "-conf", file])
    lead_out(cluster, "kube-system", "kube-dns", _PORTS, clusterIP=DNS_SERVICE)
