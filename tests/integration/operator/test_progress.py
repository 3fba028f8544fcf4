"""Pods report their progress: the real client, the real server, tokens that the real API server made and reviews."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from reflection_api.contract import MAX_PROGRESS_REPORT, PROGRESS_AUDIENCE
from reflection_operator.kube.kinds import AUTHORITY, FOR_PROGRESS_IN_CLUSTER, FOR_PROGRESS_IN_OWN_NAMESPACE
from reflection_operator.progress.certificates import AUTHORITY_SPARE, AUTHORITY_VALID, new_authority
from reflection_operator.remote.live import HINT

from ...support.cluster import CORE, Cluster, Obj, until
from ...support.kubelet import Kubelet, all_well, run_on, stage_of, train_on
from ...support.operator_process import OperatorProcess
from ...support.reporting_pod import ReportingPod, report
from ...support.screen import on_terminal, plain
from .conftest import SHORT_LEASE, Run, finish
from .test_permissions import requests

REFLECT = Path(sys.executable).parent / "reflect"


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(cluster, namespace, tmp_path / "operator.log", progress=True)
    yield process
    process.end()
    print(process.log())


def pod_of(cluster: Cluster, kubelet: Kubelet, stage: str, folder: Path) -> ReportingPod:
    """The first pod of a stage, as soon as it runs."""

    def running() -> list[Obj]:
        return [
            pod for pod in kubelet.pods() if stage_of(pod) == stage and pod["status"]["phase"] == "Running"
        ]

    return ReportingPod(cluster, until(running, f"{stage} pod", meanwhile=kubelet.tick)[0], folder)


def columns(table: str) -> dict[str, str]:
    """The only row of what kubectl lists, by the words above it."""
    header, row = table.splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", header)]
    ends = [*starts[1:], max(len(header), len(row))]
    return {
        header[start:end].strip(): row[start:end].strip() for start, end in zip(starts, ends, strict=True)
    }


def test_a_training_shows_how_far_it_is(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = train_on
    operator.keep_running(*SHORT_LEASE)
    run.apply(metadata__labels={"kueue.x-k8s.io/queue-name": "team-a"})
    reporter = pod_of(cluster, kubelet, "train", tmp_path).reporter()
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
        shown = columns(cluster.kubectl("get", "-n", run.namespace, "rt", "-o", "wide").stdout)
        assert re.fullmatch(r"\d+[smh]\d*s?", shown.pop("AGE"))
        assert shown == {
            "NAME": "countdown", "STATUS": "Training", "STAGE": "train", "PROGRESS": "32", "REWARD": "0.25",
            "RESTARTS": "0", "FAILURES": "500", "QUEUE": "team-a", "CHECKPOINT": "50", "REASON": "Progressing",
            "MESSAGE": "round 1 of 1, train",
        }  # fmt: skip
        narrow = columns(cluster.kubectl("get", "-n", run.namespace, "rt").stdout)
        assert list(narrow) == ["NAME", "STATUS", "STAGE", "PROGRESS", "REWARD", "RESTARTS", "AGE"]

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
    # The percentage is the training's, and nobody reports of an end.
    finish(run, kubelet)
    shown = columns(cluster.kubectl("get", "-n", run.namespace, "rt").stdout)
    assert (shown["STATUS"], shown["STAGE"], shown["PROGRESS"]) == ("Succeeded", "report", "")


def test_the_screen_has_the_bar_and_the_rewards_so_far(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = train_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    pod = pod_of(cluster, kubelet, "train", tmp_path)
    token, command = pod.token(), [REFLECT, "status", "countdown", "-w", "-n", run.namespace]
    environment = os.environ | {"KUBECONFIG": str(cluster.plane.kubeconfig), "NO_COLOR": "1"}
    with on_terminal(command, environment) as screen:

        def painted(step: int, reward: float) -> list[str]:
            """The lines of the screen, once they show what the pod says."""

            def look() -> list[str] | None:
                words = {"stage": "train", "done": step, "total": 200, "unit": "steps"}
                pod.post(token, report(**words, metrics={"reward": reward}))
                lines = [line.rstrip() for line in plain(screen.wait_for(HINT)).splitlines()]
                return lines if any(f" {step}/200 steps" in line for line in lines) else None

            return until(look, f"step {step} on the screen")

        lines = painted(50, 0.25)
        assert any(
            re.fullmatch("train +\N{BOX DRAWINGS HEAVY HORIZONTAL}{6} +50/200 steps .*", line)
            for line in lines
        )
        assert any(line.strip() == "reward 0.25" for line in lines)
        for step, reward in ((100, 0.75), (150, 0.45)):
            lines = painted(step, reward)
        bars = [
            line
            for line in lines
            if re.match("train +\N{BOX DRAWINGS HEAVY HORIZONTAL}{18} +150/200 steps ", line)
        ]
        assert len(bars) == 1
        assert lines[lines.index(bars[0]) + 1].strip() == (
            "\N{LOWER ONE EIGHTH BLOCK}\N{FULL BLOCK}\N{LOWER HALF BLOCK}  reward 0.45"
        )
        assert any("TrainingStarted" in line for line in lines)
        screen.press(b"q")
        assert screen.program.wait(timeout=60) == 0


def test_who_may_not_report_is_told_so(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    kubelet.script = run_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    pod = pod_of(cluster, kubelet, "rollout", tmp_path)
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
    pod = pod_of(cluster, kubelet, "rollout", tmp_path)
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
    pod = pod_of(cluster, kubelet, "rollout", tmp_path)
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


def test_an_authority_near_its_end_is_replaced_and_trusted_by_pods_that_start_then(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, tmp_path: Path
) -> None:
    """A pod that is at work trusts the one that it was given, is not heard any more, and loses nothing else."""
    kubelet.script = run_on
    operator.keep_running(*SHORT_LEASE)
    run.apply()
    before = pod_of(cluster, kubelet, "rollout", tmp_path)
    assert before.post(before.token(), report()).status_code == 204
    operator.kill()
    day, secret = timedelta(days=1), f"{CORE}/namespaces/{run.namespace}/secrets/{AUTHORITY.only}"
    now = datetime.now(UTC)
    old = new_authority(now - AUTHORITY_VALID + AUTHORITY_SPARE - day)
    data = {
        "tls.crt": base64.b64encode(old.certificate).decode(),
        "tls.key": base64.b64encode(old.key).decode(),
    }
    cluster.patch(secret, {"data": data})
    operator.keep_running(*SHORT_LEASE)
    until(lambda: cluster.get(secret)["data"]["tls.crt"] != data["tls.crt"], "another authority")
    kept = base64.b64decode(cluster.get(secret)["data"]["tls.crt"])
    assert x509.load_pem_x509_certificate(kept).not_valid_after_utc > now + AUTHORITY_VALID - day
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        until(lambda: answered(before), "answer")
    kubelet.script = lambda pod: all_well(pod) if stage_of(pod) == "rollout" else None
    after = pod_of(cluster, kubelet, "verify", tmp_path)
    assert after.authority.read_bytes() == kept
    assert after.post(after.token(), report(stage="verify")).status_code == 204
    until(lambda: run.status.get("progress", {}).get("percentage") == 25, "progress")
    assert run.status["restarts"] == 0


def answered(pod: ReportingPod) -> httpx.Response | None:
    """What a server that listens says to a pod."""
    try:
        return pod.post("", report())
    except httpx.ConnectError as error:
        if "refused" in str(error):
            return None
        raise
