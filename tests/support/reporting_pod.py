"""A pod as far as it reports its progress to the operator: with the token and the authority that its volume asks for."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from .cluster import CORE, Cluster, Obj

REPORTER = """
import sys, time
from reflection_api.stages import Stage
from reflection_trainer.progress import Progress
progress = Progress(Stage.TRAIN, index=0, unit="steps", total=200)
progress.checkpoint_step = 50
progress.update(0)
while not sys.stdin.closed:
    progress.update(64, message="step 64", metrics={"reward": 0.25}, force=True)
    time.sleep(0.2)
"""


def report(**fields: Any) -> Obj:
    """A report of a rollout, with these fields replaced."""
    words = {"stage": "rollout", "done": 1, "total": 4, "unit": "answers", "updatedAt": time.time()}
    return words | fields


class ReportingPod:
    """What the kubelet would put into the volume of a pod, and requests with it."""

    def __init__(self, cluster: Cluster, pod: Obj, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        self.object = pod
        self.namespace: str = pod["metadata"]["namespace"]
        volume = next(each for each in pod["spec"]["volumes"] if each["name"] == "reflect-progress")
        self.sources: list[Obj] = volume["projected"]["sources"]
        authority = self.sources[1]["configMap"]
        config = cluster.get(f"{CORE}/namespaces/{self.namespace}/configmaps/{authority['name']}")
        self.authority = folder / f"{pod['metadata']['name']}.crt"
        self.authority.write_text(config["data"][authority["items"][0]["key"]])
        self.variables = {
            each["name"]: each["value"]
            for each in pod["spec"]["containers"][0]["env"]
            if each["name"].startswith("REFLECT_PROGRESS")
        }

    @property
    def url(self) -> str:
        return self.variables["REFLECT_PROGRESS_URL"]

    def token(self, *, audience: str = "", bound: bool = True) -> str:
        asked = self.sources[0]["serviceAccountToken"]
        spec: Obj = {
            "audiences": [audience or asked["audience"]],
            "expirationSeconds": asked["expirationSeconds"],
        }
        if bound:
            metadata = self.object["metadata"]
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1"} | {
                name: metadata[name] for name in ("name", "uid")
            }
        account = self.object["spec"]["serviceAccountName"]
        path = f"{CORE}/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        return str(self._cluster.create(path, {"spec": spec})["status"]["token"])

    def post(self, token: str, body: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        context = ssl.create_default_context(cafile=str(self.authority))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.post(self.url, content=content, headers=headers, verify=context, timeout=20)

    def reporter(self) -> subprocess.Popen[bytes]:
        """A process that reports what a training would, with the pod's variables."""
        token = self._folder / "token"
        token.write_text(self.token())
        places = {"REFLECT_PROGRESS_TOKEN_FILE": str(token), "REFLECT_PROGRESS_CA": str(self.authority)}
        return subprocess.Popen(
            [sys.executable, "-c", REPORTER],
            env=os.environ | self.variables | places,
            stdin=subprocess.DEVNULL,
        )
