"""A control plane with nodes: on a machine of its own, where kubelets reach it, and it them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from ..cluster import until
from ..control_plane import ControlPlane, flags
from ..kubernetes_programs import NodePrograms, Programs
from .machine import Machine
from .network import API_SERVICE, CONTROL, SERVICES, lay_out
from .relay import relay
from .undo import changes

_BACK_LIMIT_S = 120


class ControlPlaneWithNodes(ControlPlane):
    """Like the one without, and a scheduler. It is reached from here through a relay."""

    kind = "cluster"

    def __init__(self, programs: Programs, node_programs: NodePrograms) -> None:
        self._node_programs = node_programs
        super().__init__(programs)
        self._start_scheduler()

    @property
    def inner_server(self) -> str:
        """The API server for nodes and for what runs beside it."""
        return self._inner_server

    @property
    def daemons(self) -> Any:
        """What nodes are started with, so that they end together with this."""
        return self._daemons

    def way_to(self, host: str, port: int) -> int:
        """A port here that leads to an address on the cluster's network, a pod's for example."""
        return relay(self._daemons, self.machine.pid, host, port)

    @contextmanager
    def without(self, program: str) -> Iterator[None]:
        """A program of the control plane is killed, and does not run until the end of the block."""
        daemon = self.machine.daemon(program)
        daemon.kill()
        try:
            yield
        finally:
            daemon.start()
            until(self.answers, "answer of the API server", patience=_BACK_LIMIT_S)

    def answers(self) -> bool:
        """Whether the API server says that it is ready."""
        with self.client() as client, suppress(httpx.TransportError):
            return client.get("/readyz").is_success
        return False

    def certificate_for(self, name: str, *places: str) -> tuple[Path, Path]:
        """Certificate and key of a server at these addresses and names."""
        return self._authority.server(name, *places)

    def _settle_down(self) -> None:
        for kind, what in changes():
            self._daemons.will_undo(kind, what)
        self.machine = Machine(self._daemons, "control")
        lay_out(self.machine)
        self.address = CONTROL
        self.port = self.way_to(self.address, self._secure_port)

    def _launch(self, name: str, program: Path, options: dict[str, Any]) -> None:
        self.machine.start(name, [program, *flags(options)])

    def _apiserver_options(self) -> dict[str, Any]:
        certificate, key = self._authority.client("kube-apiserver-kubelet-client", "system:masters")
        server, server_key = self._authority.server("kube-apiserver", self.address, API_SERVICE)
        return {
            "advertise-address": self.address,
            "tls-cert-file": server,
            "tls-private-key-file": server_key,
            "service-cluster-ip-range": SERVICES,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "kubelet-client-certificate": certificate,
            "kubelet-client-key": key,
            "kubelet-certificate-authority": self.ca,
            "kubelet-preferred-address-types": "InternalIP",
        }

    def _controller_options(self) -> dict[str, Any]:
        # A lost node is to be noticed within a test's patience.
        return {"node-monitor-grace-period": "10s", "node-monitor-period": "1s"}

    def _start_scheduler(self) -> None:
        kubeconfig = self.kubeconfig_for("system:kube-scheduler", server=self.inner_server)
        options = {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "bind-address": "127.0.0.1",
            "leader-elect": "false",
        }
        self._launch("kube-scheduler", self._node_programs.scheduler, options)
