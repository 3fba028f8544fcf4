"""A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager. Without nodes: tests play kubelet.

`python -m tests.support.control_plane` keeps one until Ctrl-C, or until its standard input ends where that is a pipe: so it
never outlives the test run that started it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from .access import Access
from .certificates import Authority, signing_key
from .daemons import Daemons
from .kubernetes_programs import Programs, find_programs
from .pages import ROOT
from .ports import free_ports

if TYPE_CHECKING:
    import pytest

_LOGS = ROOT / "build/test-logs"
_READY_LIMIT_S = 90
_STARTS = 3
"""A port that was free may be taken a moment later: then all is started anew."""
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class NotReady(RuntimeError):
    """It did not come up; the message has the ends of the logs."""


class ControlPlane(Access):
    """A running control plane."""

    kind = "control-plane"

    def __init__(self, programs: Programs, *, controllers: bool = True) -> None:
        self._daemons = Daemons(self.kind)
        self._programs = programs
        folder = self.folder = self._daemons.folder
        self._authority = Authority(folder)
        self.ca = self._authority.certificate
        self._etcd, peers, self._secure_port = free_ports(3)
        try:
            self._settle_down()
            self.server = f"https://127.0.0.1:{self.port}"
            self.kubeconfig = self.kubeconfig_for("admin", "system:masters")
            self._start_etcd(peers)
            self._start_apiserver()
            self._wait("the API server", "/readyz")
            if controllers:
                self._start_controllers()
                # Pods cannot be created in a namespace before this exists.
                self._wait("the controller manager", "/api/v1/namespaces/default/serviceaccounts/default")
        except BaseException:
            self.stop()
            raise

    @property
    def audit_log(self) -> Path:
        """One line of JSON for each request."""
        return self.folder / "audit.jsonl"

    def stop_after(self, tests: pytest.Session) -> None:
        """Stop it; where a test has failed, its logs stay."""
        if tests.testsfailed:
            print(f"the logs of the control plane are in {self._daemons.keep_logs(_LOGS)}", file=sys.stderr)
        self.stop()

    def stop(self) -> None:
        """Stop it and remove all its data."""
        self._daemons.stop()

    def kubeconfig_for(self, user: str, *groups: str, server: str = "") -> Path:
        """A kubeconfig for a user with a certificate of his own; by way of another server, if given."""
        certificate, key = self._authority.client(user, *groups)
        user_here = {"client-certificate": str(certificate), "client-key": str(key)}
        return self.write_kubeconfig(user, user_here, server)

    def server_certificate(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of another server that belongs to it, on the loopback address."""
        return self._authority.server(name)

    def _settle_down(self) -> None:
        """Decide where its processes are, and how they are reached from here."""
        self.address = "127.0.0.1"
        self.port = self._secure_port

    def _launch(self, name: str, program: Path, options: dict[str, Any]) -> None:
        self._daemons.start(name, [program, *flags(options)])

    @property
    def _inner_server(self) -> str:
        """The API server for whoever is where it is."""
        return f"https://{self.address}:{self._secure_port}"

    def _start_etcd(self, peers: int) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{peers}"
        (self.folder / "etcd").mkdir(mode=0o700)
        options = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            # Nothing here is to survive a power cut.
            "unsafe-no-fsync": "true",
        }
        self._launch("etcd", self._programs.etcd, options)

    def _start_apiserver(self) -> None:
        certificate, key = self._authority.server("kube-apiserver", self.address)
        self._token_key = signing_key(self.folder, "service-accounts")
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(_AUDIT_POLICY))
        options = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd}",
            "bind-address": self.address,
            "secure-port": self._secure_port,
            "tls-cert-file": certificate,
            "tls-private-key-file": key,
            "client-ca-file": self._authority.certificate,
            "service-account-key-file": self._token_key,
            "service-account-signing-key-file": self._token_key,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-cluster-ip-range": "10.96.0.0/16",
            "authorization-mode": "RBAC",
            # Some clusters have it: who blocks the deletion of an owner must be allowed to.
            "enable-admission-plugins": "OwnerReferencesPermissionEnforcement",
            "audit-policy-file": policy,
            "audit-log-path": self.audit_log,
            # One file, however long: what is in the first of many says nothing of a long test's beginning.
            "audit-log-maxsize": 0,
            # Many clients of a test run share one machine.
            "max-requests-inflight": 2000,
            "max-mutating-requests-inflight": 1000,
        }
        self._launch("kube-apiserver", self._programs.apiserver, options | self._apiserver_options())

    def _apiserver_options(self) -> dict[str, Any]:
        """What differs where there are nodes."""
        return {}

    def _start_controllers(self) -> None:
        kubeconfig = self.kubeconfig_for("system:kube-controller-manager", server=self._inner_server)
        options = {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "bind-address": "127.0.0.1",
            "secure-port": free_ports(1)[0],
            "service-account-private-key-file": self._token_key,
            # Users may ask for certificates, as on any cluster.
            "cluster-signing-cert-file": self.ca,
            "cluster-signing-key-file": self._authority.key_file(),
            "root-ca-file": self.ca,
            "use-service-account-credentials": "true",
            "leader-elect": "false",
            "kube-api-qps": 300,
            "kube-api-burst": 600,
            # It makes the folder, where root runs it by default below /usr/libexec.
            "flex-volume-plugin-dir": self.folder / "plugins",
        }
        options |= self._controller_options()
        self._launch("kube-controller-manager", self._programs.controller_manager, options)

    def _controller_options(self) -> dict[str, Any]:
        """What differs where there are nodes."""
        return {}

    def _wait(self, what: str, path: str) -> None:
        deadline = time.monotonic() + _READY_LIMIT_S
        with self.client() as client:
            while time.monotonic() < deadline and not self._daemons.dead():
                try:
                    if client.get(path).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
        raise NotReady(f"{what} did not answer {path}\n{self._daemons.logs()}")


def start_control_plane() -> ControlPlane:
    """Find or build the programs and start them."""
    programs = find_programs()
    for _ in range(_STARTS - 1):
        try:
            return ControlPlane(programs)
        except NotReady as error:
            if "address already in use" not in str(error):
                raise
    return ControlPlane(programs)


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as Kubernetes' programs take them."""
    return [f"--{name}={value}" for name, value in options.items()]


def keep(start: Callable[[], tuple[Path, Callable[[], None]]]) -> None:
    """Start something with an API server, say where it is, and stop it at a signal or at the end of a piped standard input.

    Args:
        start: starts it, and gives back an administrator's kubeconfig and what stops it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    kubeconfig, stop = start()
    try:
        print(f"export KUBECONFIG={kubeconfig}", flush=True)
        print(f"alias kubectl={find_programs().kubectl}", flush=True)
        if sys.stdin.isatty():
            signal.pause()
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        print("stopping", file=sys.stderr)
    finally:
        stop()


def main() -> None:
    """Keep a control plane."""

    def start() -> tuple[Path, Callable[[], None]]:
        plane = start_control_plane()
        return plane.kubeconfig, plane.stop

    keep(start)


if __name__ == "__main__":
    main()
