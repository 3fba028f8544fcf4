"""A real S3 server as a Deployment, with TLS and a private certificate authority."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ..cluster import APPS, CORE, Obj, until
from ..s3_server import REGION, ROOT
from .cluster import ClusterWithNodes

IMAGE = "reflect.test/versitygw:1"
NAMESPACE = "storage"
PORT = 7070
HOST = f"s3.{NAMESPACE}.svc.cluster.local"
ENDPOINT = f"https://{HOST}:{PORT}"
"""For pods."""
_READY_LIMIT_S = 120


class S3InCluster:
    """One server, whose data last as long as its pod."""

    def __init__(self, nodes: ClusterWithNodes) -> None:
        """Start it, from an image that is on the nodes already."""
        self._nodes = nodes
        cluster = nodes.cluster
        self.ca: Path = nodes.plane.ca
        cluster.create(f"{CORE}/namespaces", {"metadata": {"name": NAMESPACE}})
        certificate, key = nodes.plane.certificate_for("s3", HOST, f"s3.{NAMESPACE}.svc")
        place = f"{CORE}/namespaces/{NAMESPACE}"
        cluster.create(
            f"{place}/secrets",
            secret("tls", {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}),
        )
        cluster.create(
            f"{place}/secrets", secret("root", {"access": ROOT.id.encode(), "secret": ROOT.secret.encode()})
        )
        cluster.create(
            f"{place}/services",
            {"metadata": {"name": "s3"}, "spec": {"selector": {"app": "s3"}, "ports": [{"port": PORT}]}},
        )
        cluster.create(f"{APPS}/namespaces/{NAMESPACE}/deployments", _deployment())
        pod = until(self._ready_pod, "the S3 server", patience=_READY_LIMIT_S)
        self._port = nodes.plane.way_to(pod["status"]["podIP"], PORT)

    def client(self) -> Any:
        """A client on this machine."""
        return boto3.client(
            "s3",
            endpoint_url=f"https://127.0.0.1:{self._port}",
            region_name=REGION,
            aws_access_key_id=ROOT.id,
            aws_secret_access_key=ROOT.secret,
            verify=str(self.ca),
            config=Config(s3={"addressing_style": "path"}),
        )

    def secrets(self, namespace: str) -> None:
        """What a run in a namespace needs: `s3` with credentials, `s3-ca` with the authority."""
        place = f"{CORE}/namespaces/{namespace}/secrets"
        keys = {name: value.encode() for name, value in ROOT.environment.items()}
        self._nodes.cluster.create(place, secret("s3", keys))
        self._nodes.cluster.create(place, secret("s3-ca", {"ca.crt": self.ca.read_bytes()}))

    def _ready_pod(self) -> Obj | None:
        pods = self._nodes.cluster.items(f"{CORE}/namespaces/{NAMESPACE}/pods")
        ready = [
            pod
            for pod in pods
            if any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in pod["status"].get("conditions", [])
            )
        ]
        return ready[0] if ready else None


def secret(name: str, values: dict[str, bytes]) -> Obj:
    """A Secret."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"metadata": {"name": name}, "data": data}


def _deployment() -> Obj:
    labels = {"app": "s3"}
    keys = {"ROOT_ACCESS_KEY": "access", "ROOT_SECRET_KEY": "secret"}
    container = {
        "name": "versitygw",
        "image": IMAGE,
        "args": [
            "--port", f":{PORT}", "--region", REGION, "--quiet", "--cert", "/tls/tls.crt", "--key", "/tls/tls.key",
            "posix", "--sidecar", "/data/meta", "/data/objects",
        ],
        "env": [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "root", "key": key}}} for name, key in keys.items()
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "tls", "mountPath": "/tls"},
            {"name": "data", "mountPath": "/data/objects", "subPath": "objects"},
            {"name": "data", "mountPath": "/data/meta", "subPath": "meta"},
        ],
    }  # fmt: skip
    spec = {
        "securityContext": {"runAsUser": 1000, "runAsNonRoot": True, "fsGroup": 1000},
        "containers": [container],
        "volumes": [{"name": "tls", "secret": {"secretName": "tls"}}, {"name": "data", "emptyDir": {}}],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": "s3"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
