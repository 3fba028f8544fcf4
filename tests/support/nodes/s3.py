"""A real S3 server as a Deployment, with TLS, a private certificate authority and users of its own.

It is on the network of its node, so that its address stays when it is away for a while, and its data are in a folder of
this machine, where a test may look at them and damage them.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ..cluster import APPS, CORE, Obj, until
from ..go_tools import go_tool
from ..s3_server import PACKAGE, REGION, ROOT, Key
from .cluster import ClusterWithNodes

IMAGE = "reflect.test/versitygw:1"
NAMESPACE = "storage"
NODE = "node-1"
PORT = 7070
HOST = f"s3.{NAMESPACE}.svc.cluster.local"
GATE_HOST = f"s3-gate.{NAMESPACE}.svc.cluster.local"
"""A further name: of what tests put before it (gate.py)."""
ENDPOINT = f"https://{HOST}:{PORT}"
"""For pods."""
_USER = 1000
_PLACE = f"{CORE}/namespaces/{NAMESPACE}"
_DEPLOYMENT = f"{APPS}/namespaces/{NAMESPACE}/deployments/s3"
_READY_LIMIT_S = 120


class S3InCluster:
    """One server."""

    def __init__(self, nodes: ClusterWithNodes) -> None:
        """Start it, from an image that is on the nodes already."""
        self._cluster, self._node = nodes.cluster, nodes.node(NODE)
        self.ca: Path = nodes.plane.ca
        folder = nodes.plane.folder / "s3"
        self.objects = folder / "objects"
        """A folder for each bucket, and files below it as they are called there."""
        for made in (folder, self.objects, folder / "meta", folder / "users"):
            made.mkdir()
            os.chown(made, _USER, _USER)
        self._cluster.create(f"{CORE}/namespaces", {"metadata": {"name": NAMESPACE}})
        self.address = self._node.address
        self.certificate = certificate, key = nodes.plane.certificate_for("s3", HOST, GATE_HOST)
        """And its key."""
        files = {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}
        root = {"access": ROOT.id.encode(), "secret": ROOT.secret.encode()}
        self._cluster.create(f"{_PLACE}/secrets", secret("tls", files))
        self._cluster.create(f"{_PLACE}/secrets", secret("root", root))
        self._cluster.create(
            f"{_PLACE}/services",
            {"metadata": {"name": "s3"}, "spec": {"selector": {"app": "s3"}, "ports": [{"port": PORT}]}},
        )
        self._cluster.create(_DEPLOYMENT.rpartition("/")[0], _deployment(folder))
        until(self._ready, "the S3 server", patience=_READY_LIMIT_S)
        port = nodes.plane.way_to(self.address, PORT)
        self._endpoint = f"https://127.0.0.1:{port}"

    def client(self, key: Key = ROOT) -> Any:
        """A client on this machine, with a user's key."""
        return boto3.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            verify=str(self.ca),
            config=Config(s3={"addressing_style": "path"}),
        )

    def secrets(self, namespace: str) -> None:
        """What a run in a namespace needs: `s3` with credentials, `s3-ca` with the authority."""
        place = f"{CORE}/namespaces/{namespace}/secrets"
        self._cluster.create(place, credentials(ROOT))
        self._cluster.create(place, secret("s3-ca", {"ca.crt": self.ca.read_bytes()}))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens, until the end of the block."""
        self._scale(0)
        until(lambda: not self._pods(), "end of the S3 server")
        try:
            yield
        finally:
            self._scale(1)
            until(self._ready, "the S3 server", patience=_READY_LIMIT_S)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It takes connections and answers nobody, until the end of the block."""
        (pod,) = self._pods()
        processes = self._node.processes(pod)
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def let_in(self, bucket: str, *keys: Key, rights: list[Obj]) -> None:
        """New users, who may do in a bucket what statements of a policy say, and nobody else but root anything."""
        for key in keys:
            self._admin("create-user", "--access", key.id, "--secret", key.secret, "--role", "user")
        who = {"Principal": {"AWS": [key.id for key in keys]}}
        statements = [each | who for each in rights]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.client().put_bucket_policy(Bucket=bucket, Policy=policy)

    def lock_out(self, key: Key) -> None:
        """Delete a user."""
        self._admin("delete-user", "--access", key.id)

    def _admin(self, *words: str) -> None:
        who = ("--access", ROOT.id, "--secret", ROOT.secret, "--region", REGION)
        subprocess.run(
            [go_tool("versitygw", PACKAGE), "admin", *who, "--endpoint-url", self._endpoint, *words],
            env=os.environ | {"SSL_CERT_FILE": str(self.ca)},
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _scale(self, replicas: int) -> None:
        self._cluster.patch(_DEPLOYMENT, {"spec": {"replicas": replicas}})

    def _pods(self) -> list[Obj]:
        return self._cluster.items(f"{_PLACE}/pods")

    def _ready(self) -> bool:
        conditions = [each for pod in self._pods() for each in pod["status"].get("conditions", [])]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def credentials(key: Key) -> Obj:
    """The Secret `s3` with a user's key."""
    return secret("s3", {name: value.encode() for name, value in key.environment.items()})


def secret(name: str, values: dict[str, bytes]) -> Obj:
    """A Secret."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"metadata": {"name": name}, "data": data}


def _deployment(folder: Path) -> Obj:
    labels = {"app": "s3"}
    keys = {"ROOT_ACCESS_KEY": "access", "ROOT_SECRET_KEY": "secret"}
    container = {
        "name": "versitygw",
        "image": IMAGE,
        "args": [
            "--port", f":{PORT}", "--region", REGION, "--quiet", "--cert", "/tls/tls.crt", "--key", "/tls/tls.key",
            "--iam-dir", "/data/users", "--iam-cache-disable",
            "posix", "--sidecar", "/data/meta", "/data/objects",
        ],
        "env": [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "root", "key": key}}} for name, key in keys.items()
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": NODE},
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": _USER, "runAsNonRoot": True, "fsGroup": _USER},
        "containers": [container],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "tls"}},
            {"name": "data", "hostPath": {"path": str(folder)}},
        ],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": "s3"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
