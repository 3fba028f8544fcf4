"""The operator as a process of its own, with the permissions of its role and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families
from reflection_operator.kube.rbac import manifests

from .cluster import CORE, Cluster, until
from .ports import free_ports

_ACCOUNT = "reflect-operator"
_GRACE_S = 30
_BACKOFF_S = 1


class Started(Protocol):
    """A process, as far as it is of interest here."""

    @property
    def pid(self) -> int:
        """Its number."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended."""

    def poll(self) -> int | None:
        """The exit code, if it has ended."""


class OperatorProcess:
    """One replica. It acts in the namespace where its Lease is, in others, or in all."""

    _process: Started | None = None
    _kept = False
    _change = threading.Condition()

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        log: Path,
        *,
        everywhere: bool = False,
        namespaces: Sequence[str] = (),
        progress: bool = False,
        server: str = "",
    ) -> None:
        """With `progress` pods can report to it; with `server` it speaks to the cluster by way of that."""
        watched = [] if everywhere else list(namespaces or [namespace])
        self._cluster = cluster
        self._log = log
        options = ["--lease-namespace", namespace] + (["--namespaces", ",".join(watched)] if watched else [])
        if progress:
            (port,) = free_ports(1)
            options += ["--progress-url", f"https://127.0.0.1:{port}"]
            options += ["--progress-host", "127.0.0.1", "--progress-port", str(port)]
        self._options = options
        token = _permitted(cluster, namespace, watched, progress)
        self.kubeconfig = cluster.plane.kubeconfig_with_token(f"operator-{namespace}", token, server)

    def replica(self, log: Path) -> OperatorProcess:
        """Another one like it, not started yet."""
        other = copy(self)
        other._log, other._process, other._kept = log, None, False
        return other

    def start(self, *options: str) -> None:
        """Start it; it may take a moment until it acts."""
        self._process = self._launch([
            "--kubeconfig", str(self.kubeconfig), "--health-host", "127.0.0.1", "--health-port", "0",
            *self._options, *options,
        ])  # fmt: skip

    def keep_running(self, *options: str) -> None:
        """Start it, and start it again whenever it ends by itself, as a kubelet does: who could not renew his Lease ends."""
        self.start(*options)
        self._kept = True
        threading.Thread(target=self._keep, args=(options,), daemon=True).start()

    def _keep(self, options: tuple[str, ...]) -> None:
        process = self._process
        while process is not None:
            process.wait()
            with self._change:
                if self._change.wait_for(partial(self._is_over, process), _BACKOFF_S):
                    return
                self.start(*options)
                process = self._process

    def _is_over(self, process: Started) -> bool:
        return not self._kept or self._process is not process

    def _let_go(self) -> None:
        with self._change:
            self._kept = False
            self._change.notify_all()

    def _launch(self, words: list[str]) -> Started:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "reflection_operator", *words],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As the kernel does it: without a word, and not to be started again."""
        self._let_go()
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=_GRACE_S)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Tell it to stop, as a kubelet does it."""
        self._let_go()
        assert self._process is not None
        self._process.terminate()

    def stop(self) -> int:
        """Tell it to stop and wait until it has; the exit code."""
        self.terminate()
        return self.stopped()

    def stopped(self) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout=_GRACE_S)

    def end(self) -> None:
        """Whatever became of it, it ends now."""
        self._let_go()
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

    def metric(self, name: str, **labels: str) -> float:
        """What a metric is now; 0 where it was never counted."""
        families = text_string_to_metric_families(self.probe("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), 0.0)

    def _port(self) -> int | None:
        lines = [line for line in self.log().splitlines() if "health and metrics on port" in line]
        return int(lines[-1].rsplit(" ", 1)[-1]) if lines else None


def _permitted(cluster: Cluster, namespace: str, namespaces: list[str], progress: bool) -> str:
    """A token of a service account that may do what the operator's own roles say, and nothing else."""
    account = {"metadata": {"name": _ACCOUNT, "namespace": namespace}}
    cluster.create(f"{CORE}/namespaces/{namespace}/serviceaccounts", account)
    for obj in manifests(namespaces, namespace, _ACCOUNT, progress=progress):
        place = f"namespaces/{obj['metadata']['namespace']}/" if "namespace" in obj["metadata"] else ""
        cluster.create(f"/apis/rbac.authorization.k8s.io/v1/{place}{obj['kind'].lower()}s", obj)
    path = f"{CORE}/namespaces/{namespace}/serviceaccounts/{_ACCOUNT}/token"
    return str(cluster.create(path, {"spec": {"expirationSeconds": 7200}})["status"]["token"])
