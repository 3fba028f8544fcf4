"""One Ethernet segment that joins the machine of the control plane and the nodes. Nothing leaves it."""

from __future__ import annotations

from .machine import Machine

NETWORK = "10.99.0"
CONTROL = f"{NETWORK}.1"
"""Address of the control plane's machine."""
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"


def address(number: int) -> str:
    """Address of a node, counted from 1."""
    return f"{NETWORK}.{number + 1}"


def pods(number: int) -> str:
    """The addresses of a node's pods."""
    return f"10.244.{number}.0/24"


def lay_out(control: Machine) -> None:
    """The segment itself, and the control plane's place on it."""
    control.network("link", "add", "segment", "type", "bridge")
    control.network("addr", "add", f"{CONTROL}/24", "dev", "segment")
    control.network("link", "set", "segment", "up")


def join(control: Machine, node: Machine, number: int, others: int) -> None:
    """Join a node, and lead to its pods from everywhere; `others` nodes, counted from 1, are there or will be."""
    port = _port(number)
    control.network("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid))
    control.network("link", "set", port, "master", "segment", "up")
    control.network("route", "add", pods(number), "via", address(number))
    node.network("addr", "add", f"{address(number)}/24", "dev", "eth0")
    node.network("link", "set", "eth0", "up")
    # Kubelet takes the address of the interface that leads everywhere.
    node.network("route", "add", "default", "via", CONTROL)
    for other in range(1, others + 1):
        if other != number:
            node.network("route", "add", pods(other), "via", address(other))


def plug(control: Machine, number: int, *, into: bool) -> None:
    """Plug a node's cable into the segment, or pull it."""
    control.network("link", "set", _port(number), "up" if into else "down")


def _port(number: int) -> str:
    return f"port{number}"
