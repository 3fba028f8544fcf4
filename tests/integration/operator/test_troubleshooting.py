"""The commands of docs/troubleshooting.md, below each heading in the state that it speaks of.

API server, controllers, operator and S3 server are real. Nodes and the logs of pods are played; `ml` and `reflect-system` are
namespaces of a test's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ...support.cluster import APPS, CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, Wait, attempt_of, failed, run_on, stage_of, train_on
from ...support.kubelet_logs import KubeletLogs
from ...support.kubernetes_programs import find_programs
from ...support.operator_process import OperatorProcess
from ...support.own_verifier import EXAMPLE, own_verifier
from ...support.pages import ROOT, headed
from ...support.s3_server import ROOT as KEY
from ...support.s3_server import S3Server
from ...support.shell import in_shell
from ...unit.report.runs import context_of, leave_evaluation, leave_failures, leave_rollout, leave_training
from .conftest import Run

SCRIPTS = {
    heading.replace("`", "").split(",")[0]: text
    for heading, text in headed(ROOT / "docs/troubleshooting.md", "sh").items()
}
AGAIN: dict[str, tuple[str, ...]] = {
    "When a run does not go on": (
        "STATUS", "REASON", "MESSAGE", "ml/countdown: Training", "AttemptRestarted (warning)",
        "\ntrain 1 TrainerCrashed: pod countdown-", "exit code 1: CUDA error",
    ),
    "InvalidModel": ("says rollout 1\n",),
    "StorageDenied": ('{"uri":"s3://team/runs"}\ntrainer\n', "kind: ServiceAccount\n", "name: trainer\n"),
    'It begins "when what came before has ended"': ("-train-1-0-", "-train-2-0-", "node-1"),
    "StorageUnavailable": ("says train 2\n", "no unfinished uploads below s3://team/runs"),
    "StorageConflict": ("-train-2-0-", "node-1"),
    "RolloutCrashed": ("says train 2\n", " ReflectionTraining/countdown\n"),
    "OutOfMemory": ('{"common":{"serviceAccountName":"trainer"}}',),
    "MaxRestartsReached": ("AttemptRestarted (warning)", "CUDA error"),
}  # fmt: skip
"""What is seen of a run whose training was started again, below each heading whose commands only look."""
CARRIED_OUT = set(AGAIN)
AUDIT = {"sample": 200, "flaky": 0, "gold": 0, "goldRefused": 0, "canaries": 200, "canariesAccepted": 12}

Shown = Callable[..., str]


def part(heading: str) -> Any:
    """For the test of what stands below a heading."""
    CARRIED_OUT.add(heading)
    return pytest.mark.parametrize("heading", [heading])


def test_every_command_of_the_page_is_carried_out() -> None:
    assert SCRIPTS.keys() == CARRIED_OUT


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server of its own, with the page's bucket."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.client().create_bucket(Bucket="team")
        yield server


@pytest.fixture
def shown(cluster: Cluster, run: Run, storage: S3Server, tmp_path: Path) -> Shown:
    """Carries out what the page shows below a heading, with other words in place of some; gives what is printed."""
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "items.jsonl").symlink_to(EXAMPLE / "items.jsonl")
    environment = {
        **os.environ, **KEY.environment,
        "AWS_ENDPOINT_URL": storage.endpoint,
        "KUBECONFIG": str(cluster.plane.kubeconfig),
        "PATH": f"{find_programs().kubectl.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip

    def carry_out(heading: str, **others: str) -> str:
        script = SCRIPTS[heading].replace("-n ml", f"-n {run.namespace}")
        for words, other in others.items():
            assert words in script
            script = script.replace(words, other)
        done = in_shell(f"set -eu\n{script}", folder, environment)
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout.replace(run.namespace, "ml")

    return carry_out


def work(run: Run, operator: OperatorProcess, kubelet: Kubelet, script: Any, **fields: Any) -> None:
    """Create a run whose pods do as a script says."""
    kubelet.script = script
    operator.start()
    run.apply(**fields)


def at(stage: str, act: Any) -> Callable[[Obj], Any]:
    """All goes well up to a stage."""
    return lambda pod: act if stage_of(pod) == stage else End()


def test_a_run_whose_training_was_started_again(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, log_server: KubeletLogs,
    shown: Shown,
) -> None:  # fmt: skip
    def script(pod: Obj) -> End | None:
        first = (stage_of(pod), attempt_of(pod)) == ("train", 1)
        return End(1, "CUDA error") if first else train_on(pod)

    cluster.create(f"{CORE}/namespaces/{run.namespace}/serviceaccounts", {"metadata": {"name": "trainer"}})
    work(run, operator, kubelet, script, spec__pods={"common": {"serviceAccountName": "trainer"}})
    until(lambda: [attempt_of(pod) for pod in at_work(kubelet)] == [2], "training", meanwhile=kubelet.tick)
    for pod in kubelet.pods():
        log_server.write(pod["metadata"]["name"], f"says {stage_of(pod)} {attempt_of(pod)}\n")
    for heading, words in AGAIN.items():
        printed = shown(heading)
        assert [each for each in words if each not in printed] == [], f"{heading}:\n{printed}"


def at_work(kubelet: Kubelet) -> list[Obj]:
    return [pod for pod in kubelet.pods() if pod["status"]["phase"] == "Running"]


@part("Nothing happens")
def test_the_operator_and_its_log(
    heading: str, cluster: Cluster, run: Run, tmp_path: Path, log_server: KubeletLogs, shown: Shown
) -> None:
    system = f"{run.namespace}-system"
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": system}})
    process = OperatorProcess(cluster, system, tmp_path / "log", namespaces=[run.namespace])
    process.start()
    try:
        until(lambda: "found 0 runs" in process.log(), "operator")
        said = process.log()
    finally:
        process.end()
    objects = yaml.safe_load_all((ROOT / "kustomize/base/operator.yaml").read_text())
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    deployment["metadata"]["namespace"] = system
    cluster.create(f"{APPS}/namespaces/{system}/deployments", deployment)
    kubelet = Kubelet(cluster, system, run_on)
    (pod,) = until(lambda: at_work(kubelet), "pod of the operator", meanwhile=kubelet.tick)
    log_server.write(pod["metadata"]["name"], said)
    printed = shown(heading, **{"reflect-system": system})
    assert "\nreflect-operator " in printed
    assert "found 0 runs" in printed


@part("The file is refused")
def test_the_file_of_the_example(heading: str, shown: Shown) -> None:
    assert shown(heading) == "default/countdown: valid\n"


@part("SecretNotFound")
def test_a_secret_that_is_created(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, shown: Shown
) -> None:
    secret = f"{CORE}/namespaces/{run.namespace}/secrets/s3-creds"
    lacking = Wait("CreateContainerConfigError", 'secret "s3-creds" not found')
    work(run, operator, kubelet, lambda _: None if cluster.find(secret) else lacking)
    until(lambda: run.is_now("Ready", "False", "SecretNotFound"), "reason", meanwhile=kubelet.tick)
    assert shown(heading).endswith("secret/s3-creds created\n")
    assert cluster.get(secret)["data"].keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    until(lambda: run.is_now("Ready", "True"), "going on", meanwhile=kubelet.tick)


@part("ImagePullFailed")
def test_a_job_is_made_anew_with_other_pods(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, shown: Shown
) -> None:
    missing = Wait("ImagePullBackOff", 'image "trainer:typo" not found')
    work(run, operator, kubelet, lambda _: missing, spec__pods={"common": {"image": "trainer:typo"}})
    until(lambda: run.is_now("Ready", "False", "ImagePullFailed"), "reason", meanwhile=kubelet.tick)
    quota = {"metadata": {"name": "of-the-team"}, "spec": {"hard": {"pods": "9"}}}
    cluster.create(f"{CORE}/namespaces/{run.namespace}/resourcequotas", quota)
    run.change(pods={"common": {"image": "trainer:1"}})
    (job,) = run.jobs()
    printed = shown(heading)
    for words in ("ImagePullBackOff", "of-the-team", f'job.batch "{job["metadata"]["name"]}" deleted'):
        assert words in printed

    def images() -> list[str]:
        return [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in run.jobs()]

    until(lambda: images() == ["trainer:1"], "Job made anew", meanwhile=kubelet.tick)


@part("VerifierUnsound")
def test_a_verifier_that_lets_a_trick_pass(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, shown: Shown
) -> None:
    end = failed("verify", 65, "VerifierUnsound", "the verifier accepted 12 of 200 canary answers")
    end = End(65, json.dumps(json.loads(end.message) | {"audit": AUDIT}))
    work(run, operator, kubelet, at("verify", end))
    until(lambda: run.is_now("Succeeded", "False", "VerifierUnsound"), "end", meanwhile=kubelet.tick)
    with own_verifier() as address:
        printed = shown(heading, **{"http://127.0.0.1:8080": address})
    # A template of kubectl ends without a new line.
    audit, _ = json.JSONDecoder().raw_decode(printed)
    assert audit == AUDIT
    assert printed.endswith(" checks, all passed\n")


@part("GateFailed")
def test_a_model_that_is_not_good_enough(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, storage: S3Server, tmp_path: Path,
    shown: Shown,
) -> None:  # fmt: skip
    work(run, operator, kubelet, lambda _: End(), spec__evaluation={"gates": {"minGain": 0.5}})
    until(lambda: run.is_now("Succeeded", "False", "GateFailed"), "end", meanwhile=kubelet.tick)
    context = context_of(tmp_path)
    for leave in (leave_rollout, leave_failures, leave_training, leave_evaluation):
        leave(context)
    (folder,) = (tmp_path / "runs").glob("*/*")
    storage.put_folder(folder, "team", "runs/ml/countdown-1a2b3c4d")
    printed = shown(heading)
    assert printed.startswith(run.status["reportUri"].replace(run.namespace, "ml"))
    assert printed.endswith("report.html\n")
    assert (tmp_path / "reader/report.html").is_file()


@part("Unschedulable")
def test_a_pod_without_a_node(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, shown: Shown
) -> None:
    work(run, operator, kubelet, lambda _: Wait("Unschedulable", "0/1 nodes: 1 Insufficient nvidia.com/gpu"))
    until(lambda: run.is_now("Ready", "False", "Unschedulable"), "reason", meanwhile=kubelet.tick)
    printed = shown(heading)
    for words in ("-rollout-1-0-", "Pending", "<none>", "node-1", "LABELS"):
        assert words in printed


@part("It is deleted")
def test_a_deletion_that_waits_for_nothing_more(
    heading: str, run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster, shown: Shown
) -> None:
    work(run, operator, kubelet, run_on, spec__deletionPolicy="Delete")
    until(lambda: at_work(kubelet), "rollout", meanwhile=kubelet.tick)
    away = failed("cleanup", 75, "StorageUnavailable", "s3://team/runs: no answer for 180 s")
    kubelet.script = at("cleanup", away)
    cluster.delete(run.path)
    until(lambda: run.is_now("Ready", "False", "StorageUnavailable"), "reason", meanwhile=kubelet.tick)
    assert shown(heading) == "reflectiontraining.reflection.training/countdown patched\n"
    until(lambda: cluster.find(run.path) is None, "end of the run", meanwhile=kubelet.tick)
