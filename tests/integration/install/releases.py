"""A release on a cluster: its namespace, its older version, and its operator as a process of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ...support.cluster import CORE, Cluster, Obj
from ...support.helm import CHART, container, environment
from ...support.operator_process import OperatorProcess

RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
CRD_FILE = CHART.parents[1] / "crds/reflectiontrainings.yaml"


def make_namespace(cluster: Cluster, name: str, labels: dict[str, str] | None = None) -> None:
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": name, "labels": labels or {}}})


class ReleasedOperator(OperatorProcess):
    """The operator of a release, started as its Deployment says, with a token of its service account."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, log: Path) -> None:
        self._cluster, self._log = cluster, log
        self._namespace = namespace
        self._path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        account = self.deployment()["spec"]["template"]["spec"]["serviceAccountName"]
        self.kubeconfig = cluster.plane.kubeconfig_with_token(
            f"{namespace}-{account}", token_of(cluster, namespace, account)
        )

    def deployment(self) -> Obj:
        return self._cluster.get(self._path)

    def start(self, *options: str) -> None:
        objects = [self.deployment()]
        self._options: list[str] = ["--lease-namespace", self._namespace, *container(objects)["args"]]
        with patch.dict(os.environ, environment(objects)):
            super().start(*options)


def token_of(cluster: Cluster, namespace: str, account: str) -> str:
    """A token of a service account."""
    path = f"{CORE}/namespaces/{namespace}/serviceaccounts/{account}/token"
    found: dict[str, Any] = cluster.create(path, {"spec": {"expirationSeconds": 7200}})
    return str(found["status"]["token"])
