"""Pods report their progress: the real client, the real server, tokens that the real API server made and reviews."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from reflection_api.contract import MAX_PROGRESS_REPORT, PROGRESS_AUDIENCE
from reflection_operator.kube.kinds import AUTHORITY, FOR_PROGRESS_IN_CLUSTER, FOR_PROGRESS_IN_OWN_NAMESPACE

from ...support.cluster import CORE, Cluster, Obj, until
from ...support.kubelet import Kubelet, run_on, stage_of, train_on
from ...support.operator_process import OperatorProcess
from .conftest import SHORT_LEASE, Run
from .test_permissions import requests

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


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(cluster, namespace, tmp_path / "operator.log", progress=True)
    yield process
    process.end()
    print(process.log())


class Pod:
    """A running pod of a stage, as far as it reports."""

    def __init__(self, cluster: Cluster, run: Run, kubelet: Kubelet, stage: str, folder: Path) -> None:
        self._cluster, self._run = cluster, run
        until(
            lambda: any(
                stage_of(pod) == stage and pod["status"]["phase"] == "Running" for pod in kubelet.pods()
            ),
            f"{stage} pod",
            meanwhile=kubelet.tick,
        )
        self.object = next(pod for pod in kubelet.pods() if stage_of(pod) == stage)
        self._folder = folder
        # What the kubelet would put into the volume that the pod asks for.
        volume = next(each for each in self.object["spec"]["volumes"] if each["name"] == "reflect-progress")
        self.sources: list[Obj] = volume["projected"]["sources"]
        authority = self.sources[1]["configMap"]
        config = cluster.get(f"{CORE}/namespaces/{run.namespace}/configmaps/{authority['name']}")
        self.authority = folder / "ca.crt"
        self.authority.write_text(config["data"][authority["items"][0]["key"]])
        self.variables = {
            each["name"]: each["value"]
            for each in self.object["spec"]["containers"][0]["env"]
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
        path = f"{CORE}/namespaces/{self._run.namespace}/serviceaccounts/{account}/token"
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


def report(**fields: Any) -> Obj:
    words = {"stage": "rollout", "done": 1, "total": 4, "unit": "answers", "updatedAt": time.time()}
    return words | fields


def test_a_training_shows_how_far_it_is(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = train_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    reporter = Pod(cluster, run, kubelet, "train", tmp_path).reporter()
    try:
        until(
            lambda: run.status.get("progress", {}).get("percentage") == 32, "progress", meanwhile=kubelet.tick
        )
        status = run.status
        assert (status["progress"]["step"], status["progress"]["totalSteps"]) == (64, 200)
        assert status["progress"]["estimatedRemainingSeconds"] > 0
        assert status["metrics"]["reward"] == 0.25
        assert (status["checkpoint"]["step"], run.is_now("CheckpointAvailable", "True") is not None) == (
            50,
            True,
        )
        listed = cluster.kubectl("get", "-n", run.namespace, "rt").stdout.splitlines()[1].split()
        assert listed[:5] == ["countdown", "Training", "train", "32", "0.25"]

        # A new operator is trusted by pods that the old one started.
        written = status["progress"]["lastUpdatedTime"]
        operator.kill()
        operator.keep_running(*SHORT_LEASE)
        until(
            lambda: run.status["progress"]["lastUpdatedTime"] > written,
            "progress under the new operator",
            meanwhile=kubelet.tick,
        )
    finally:
        reporter.kill()
        reporter.wait()


def test_who_may_not_report_is_told_so(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = run_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    pod = Pod(cluster, run, kubelet, "rollout", tmp_path)
    assert pod.sources[0]["serviceAccountToken"]["audience"] == PROGRESS_AUDIENCE
    good = pod.token()

    def answer(token: str, body: Any) -> tuple[int, str]:
        found = pod.post(token, body)
        return found.status_code, found.text

    assert answer("", report()) == (401, "a bearer token is needed\n")
    assert answer("nonsense", report())[0] == 401
    assert answer(pod.token(audience="https://kubernetes.default.svc"), report())[0] == 401
    assert answer(pod.token(bound=False), report())[0] == 401
    assert answer(good, b" " * (MAX_PROGRESS_REPORT + 1))[0] == 413
    # Whoever has been heard waits for a second.
    assert answer(good, report())[0] == 429
    assert pod.post(good, report()).headers["Retry-After"] == "1"
    assert until(lambda: (found := answer(good, b"{}"))[0] != 429 and found, "another turn") == (
        400,
        "stage: Field required\n",
    )
    assert until(lambda: (found := answer(good, report()))[0] != 429 and found, "another turn") == (204, "")
    until(lambda: run.status.get("progress", {}).get("percentage") == 25, "progress")
    metrics = operator.probe("/metrics").text
    assert 'reflect_progress_reports_total{code="204"} 1.0' in metrics
    assert 'reflect_progress_reports_total{code="401"} 4.0' in metrics


def test_a_pod_of_nobody_is_not_heard(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    """It has a good token, and no run has such a pod."""
    kubelet.script = run_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    pod = Pod(cluster, run, kubelet, "rollout", tmp_path)
    spec = {"containers": [{"name": "main", "image": "x"}], "serviceAccountName": "default"}
    stranger = cluster.create(
        f"{CORE}/namespaces/{run.namespace}/pods", {"metadata": {"name": "stranger"}, "spec": spec}
    )
    pod.object = stranger
    assert pod.post(pod.token(), report()).status_code == 404
    assert "progress" not in run.status


def test_a_run_ends_right_although_nothing_can_be_reported(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    """The ClusterRole for reviews of tokens is missing, and the Secret cannot be read."""
    for path in (
        f"/apis/rbac.authorization.k8s.io/v1/clusterroles/reflect-operator-progress-{run.namespace}",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{run.namespace}/roles/reflect-operator-lease",
    ):
        rules = [rule for rule in cluster.get(path)["rules"] if rule["resources"] == ["leases"]]
        cluster.patch(path, {"rules": rules})
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert "runs go on without reports of it" in operator.log()
    pods = [job["spec"]["template"]["spec"] for job in run.jobs()]
    assert not any(volume["name"] == "reflect-progress" for pod in pods for volume in pod["volumes"])


def test_it_needs_no_other_permissions(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = run_on
    secret = f"{CORE}/namespaces/{run.namespace}/secrets/{AUTHORITY.only}"
    operator.keep_running(*SHORT_LEASE)
    until(lambda: cluster.find(secret), "authority")
    operator.kill()
    cluster.patch(secret, {"data": {"tls.crt": base64.b64encode(b"spoilt").decode()}})
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    pod = Pod(cluster, run, kubelet, "rollout", tmp_path)
    assert pod.post(pod.token(), report()).status_code == 204
    assert "it gets new content" in operator.log()
    kinds = (*FOR_PROGRESS_IN_OWN_NAMESPACE, *FOR_PROGRESS_IN_CLUSTER)
    wanted = {(verb, kind.resource) for kind in kinds for verb in kind.verbs}

    def used() -> set[tuple[str, str]]:
        return {each for each in requests(cluster, run.namespace) if each[1] in ("secrets", "tokenreviews")}

    until(lambda: used() >= wanted, "use of every permission")
    assert used() == wanted
    other = cluster.kubectl(
        "auth", "can-i", "get", "secrets/other", "-n", run.namespace,
        "--as", f"system:serviceaccount:{run.namespace}:reflect-operator",
    )  # fmt: skip
    assert other.stdout.strip() == "no"
