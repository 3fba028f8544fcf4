"""The operator as a process of its own, with the permissions of its role and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from copy import copy
from pathlib import Path

import httpx
from reflection_operator.kube.rbac import manifests

from .cluster import CORE, Cluster, until

_ACCOUNT = "reflect-operator"
_GRACE_S = 30


class OperatorProcess:
    """One replica. It acts in one namespace and keeps its Lease there, too, unless told otherwise."""

    def __init__(self, cluster: Cluster, namespace: str, log: Path, *, everywhere: bool = False) -> None:
        self._cluster = cluster
        self._log = log
        options = ["--lease-namespace", namespace] + ([] if everywhere else ["--namespaces", namespace])
        self._options = options
        token = _permitted(cluster, namespace, [] if everywhere else [namespace])
        self.kubeconfig = cluster.plane.kubeconfig_with_token(f"operator-{namespace}", token)
        self._process: subprocess.Popen[bytes] | None = None

    def replica(self, log: Path) -> OperatorProcess:
        """Another one like it, not started yet."""
        other = copy(self)
        other._log, other._process = log, None
        return other

    def start(self, *options: str) -> None:
        """Start it; it may take a moment until it acts."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "reflection_operator", "--kubeconfig", str(self.kubeconfig),
                    "--health-host", "127.0.0.1", "--health-port", "0", *self._options, *options,
                ],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As the kernel does it: without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=_GRACE_S)

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """As a kubelet does it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=_GRACE_S)

    def end(self) -> None:
        """Whatever became of it, it ends now."""
        if self._process and self._process.poll() is None:
            self.kill()

    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def probe(self, path: str) -> httpx.Response:
        """Ask it how it is."""
        port = until(self._port, "port of the health server in the log")
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)

    def _port(self) -> int | None:
        lines = [line for line in self.log().splitlines() if "health and metrics on port" in line]
        return int(lines[-1].rsplit(" ", 1)[-1]) if lines else None


def _permitted(cluster: Cluster, namespace: str, namespaces: list[str]) -> str:
    """A token of a service account that may do what the operator's own roles say, and nothing else."""
    account = {"metadata": {"name": _ACCOUNT, "namespace": namespace}}
    cluster.create(f"{CORE}/namespaces/{namespace}/serviceaccounts", account)
    for obj in manifests(namespaces, namespace, _ACCOUNT):
        place = f"namespaces/{obj['metadata']['namespace']}/" if "namespace" in obj["metadata"] else ""
        cluster.create(f"/apis/rbac.authorization.k8s.io/v1/{place}{obj['kind'].lower()}s", obj)
    path = f"{CORE}/namespaces/{namespace}/serviceaccounts/{_ACCOUNT}/token"
    return str(cluster.create(path, {"spec": {"expirationSeconds": 7200}})["status"]["token"])
