"""The cluster's DNS: CoreDNS beside the control plane, behind the Service that kubelet tells every pod about."""

from __future__ import annotations

from ..cluster import CORE, Cluster
from ..go_tools import go_tool
from .control import ControlPlaneWithNodes
from .network import CONTROL, DNS_SERVICE

_PORTS = [{"name": "dns", "protocol": "UDP", "port": 53}, {"name": "dns-tcp", "protocol": "TCP", "port": 53}]
_NAMESPACE = f"{CORE}/namespaces/kube-system"


def start_dns(plane: ControlPlaneWithNodes, cluster: Cluster) -> None:
    """Start it and lead the Service to it."""
    kubeconfig = plane.kubeconfig_for("dns", "system:masters", server=plane.inner_server)
    file = plane.folder / "Corefile"
    kubernetes = f"kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {kubeconfig}\n  }}"
    file.write_text(f".:53 {{\n  bind {CONTROL}\n  errors\n  {kubernetes}\n}}\n")
    plane.machine.start("coredns", [go_tool("coredns", ".", name="coredns"), "-conf", file])
    cluster.create(
        f"{_NAMESPACE}/services",
        {"metadata": {"name": "kube-dns"}, "spec": {"clusterIP": DNS_SERVICE, "ports": _PORTS}},
    )
    cluster.create(
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
        {
            "metadata": {"name": "kube-dns", "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [CONTROL]}],
            "ports": _PORTS,
        },
    )
