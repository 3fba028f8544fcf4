"""`reflect` and `kubectl reflect` for runs on a real cluster, as a user with his own permissions and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ...cluster.test_faults_nodes import OUT_OF_SERVICE
from ...support.cluster import CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, failed, index_of, run_on
from ...support.kubelet_logs import KubeletLogs
from ...support.kubernetes_programs import find_programs
from ...support.operator_process import OperatorProcess
from ...support.pages import fences
from ...support.screen import on_terminal
from .conftest import Run

BIN = Path(sys.executable).parent
RBAC = "/apis/rbac.authorization.k8s.io/v1"
Reflect = Callable[..., subprocess.CompletedProcess[str]]
PAGE = Path(__file__).parents[3] / "docs/on-a-cluster.md"
(ROLE,) = (yaml.safe_load(each.text) for each in fences(PAGE) if "kind: Role" in each.text)
"""What the page says that a user needs."""


@pytest.fixture
def user(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The environment of somebody who may do in this namespace what the commands do, and nothing else."""
    name = f"user-{namespace}"
    subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    cluster.create(f"{RBAC}/namespaces/{namespace}/roles", ROLE)
    binding = {
        "metadata": {"name": "user"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": ROLE["metadata"]["name"],
        },
        "subjects": [subject],
    }
    cluster.create(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    kubectl = find_programs().kubectl.parent
    return os.environ | {
        "KUBECONFIG": str(cluster.plane.kubeconfig_for(name)),
        "PATH": os.pathsep.join((str(BIN), str(kubectl), os.environ["PATH"])),
    }


@pytest.fixture
def reflect(user: dict[str, str], namespace: str) -> Reflect:
    def run(*words: str, program: tuple[str, ...] = ("reflect",), **environment: str):
        command = [*program, *words, "-n", namespace]
        return subprocess.run(
            command, env=user | environment, text=True, capture_output=True, check=False, timeout=60
        )

    return run


@pytest.fixture
def at_work(run: Run, operator: OperatorProcess, kubelet: Kubelet) -> Run:
    """A run whose rollout is at work, in two pods."""
    kubelet.script = run_on
    operator.start()
    run.apply(spec__rollout={"workers": 2})
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    until(lambda: len(running(kubelet)) == 2, "two pods at work", meanwhile=kubelet.tick)
    run.told("RolloutJobCreated")
    return run


def rest_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it still prints. `communicate` would lose what came together with the lines that were read."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        return process.stdout.read(), process.stderr.read()


def running(kubelet: Kubelet) -> list[Obj]:
    return [pod for pod in kubelet.pods() if pod["status"].get("phase") == "Running"]


def test_status_and_events(at_work: Run, reflect: Reflect) -> None:
    shown = reflect("status", "countdown")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == f"{at_work.namespace}/countdown: Rollout"
    assert lines[1].split()[:4] == ["rollout", "at", "work", "since"]
    assert any(line.startswith("now         Progressing: round 1 of 1, rollout") for line in lines)
    assert "RolloutJobCreated" in lines[-1]
    assert "\x1b" not in shown.stdout
    listed = reflect("events", "countdown", "-o", "json")
    assert [event["reason"] for event in json.loads(listed.stdout)] == ["Accepted", "RolloutJobCreated"]
    assert [line.split()[2] for line in reflect("events", "countdown").stdout.splitlines()] == [
        "Accepted", "RolloutJobCreated",
    ]  # fmt: skip
    whole = json.loads(reflect("status", "countdown", "-o", "json").stdout)
    assert whole["status"]["phase"] == "Rollout"
    assert "managedFields" not in whole["metadata"]


def test_it_is_a_plugin_of_kubectl(at_work: Run, reflect: Reflect) -> None:
    shown = reflect("status", "countdown", program=("kubectl", "reflect"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0] == f"{at_work.namespace}/countdown: Rollout"


def test_suspend_and_resume(at_work: Run, reflect: Reflect, kubelet: Kubelet) -> None:
    done = reflect("suspend", "countdown")
    assert (done.returncode, at_work.get()["spec"]["suspend"]) == (0, True), done.stderr
    assert "is being suspended" in done.stdout
    again = reflect("suspend", "countdown", "-o", "json")
    assert json.loads(again.stdout) == {"name": "countdown", "suspend": True, "changed": False}
    until(lambda: at_work.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    assert reflect("status", "countdown").stdout.splitlines()[0].endswith("countdown: Suspended")
    done = reflect("resume", "countdown")
    assert (done.returncode, at_work.get()["spec"]["suspend"]) == (0, False), done.stderr
    kubelet.script = lambda _: End()
    until(lambda: at_work.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    refused = reflect("suspend", "countdown")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "countdown has succeeded: there is nothing to suspend\n"


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (End(), 0, "Succeeded"),
        (failed("rollout", 65, "InvalidPrompts", "train.jsonl:3: no target"), 1, "train.jsonl:3"),
    ],
    ids=["succeeds", "fails"],
)
def test_watching_ends_with_the_run(
    at_work: Run, user: dict[str, str], kubelet: Kubelet, end: End, code: int, words: str
) -> None:
    command = ["reflect", "status", "countdown", "--watch", "-n", at_work.namespace]
    watching = subprocess.Popen(command, env=user, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == f"{at_work.namespace}/countdown: Rollout\n"
        kubelet.script = lambda _: end
        until(lambda: at_work.condition("Succeeded")["status"] != "Unknown", "end", meanwhile=kubelet.tick)
        out, err = rest_of(watching)
    finally:
        watching.kill()
        watching.wait()
    assert (watching.returncode, err) == (code, "")
    assert "RolloutJobCreated" in out, "what was before"
    assert words in out
    assert sum("RolloutJobCreated" in line for line in out.splitlines()) == 1
    assert out.splitlines()[-1].startswith("now ")


def test_logs(at_work: Run, reflect: Reflect, log_server: KubeletLogs, kubelet: Kubelet) -> None:
    for pod in kubelet.pods():
        index = index_of(pod)
        log_server.write(pod["metadata"]["name"], f"shard {index}\nanswer \x1b[31mred\n")
    shown = reflect("logs", "countdown")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "[0] shard 0",
        "[0] answer [31mred",
        "[1] shard 1",
        "[1] answer [31mred",
    ]
    one = reflect("logs", "countdown", "--stage", "rollout", "--index", "1", "--tail", "1")
    assert one.stdout == "answer [31mred\n"
    lines = [json.loads(line) for line in reflect("logs", "countdown", "-o", "json").stdout.splitlines()]
    assert [(line["index"], line["line"]) for line in lines][:2] == [(0, "shard 0"), (0, "answer [31mred")]
    assert {line["pod"] for line in lines} == {pod["metadata"]["name"] for pod in kubelet.pods()}
    none = reflect("logs", "countdown", "--stage", "train")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith("countdown has no train pods at the moment")


def test_following_logs_ends_with_the_pods(
    at_work: Run, user: dict[str, str], log_server: KubeletLogs, kubelet: Kubelet
) -> None:
    names = [pod["metadata"]["name"] for pod in kubelet.pods()]
    for name in names:
        log_server.write(name, "first\n")
    command = ["reflect", "logs", "countdown", "-f", "--index", "0", "-n", at_work.namespace]
    following = subprocess.Popen(command, env=user, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert following.stdout is not None
        assert following.stdout.readline() == "first\n"
        for name in names:
            log_server.write(name, "second\n")
        assert following.stdout.readline() == "second\n"
        log_server.end()
        out, err = rest_of(following)
    finally:
        following.kill()
        following.wait()
    assert (following.returncode, out, err) == (0, "", "")


def test_a_misspelt_name_is_guessed(at_work: Run, reflect: Reflect) -> None:
    for command in ("status", "logs", "events", "suspend", "resume"):
        answer = reflect(command, "countdwn")
        assert (answer.returncode, answer.stdout) == (1, ""), command
        assert answer.stderr == (
            f"there is no ReflectionTraining countdwn in namespace {at_work.namespace}; did you mean countdown?\n"
        )


def test_what_one_may_not_do_is_said(at_work: Run, reflect: Reflect, user: dict[str, str]) -> None:
    command = ["reflect", "status", "countdown", "-n", "default"]
    answer = subprocess.run(command, env=user, text=True, capture_output=True, check=False, timeout=60)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(
        "you may not get the ReflectionTraining countdown in namespace default at https://127"
    )
    assert "cannot get resource" in answer.stderr


def test_credentials_that_are_not_taken(reflect: Reflect, cluster: Cluster) -> None:
    stranger = cluster.plane.kubeconfig_with_token("stranger", "not-a-token")
    answer = reflect("status", "countdown", "--kubeconfig", str(stranger))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "does not take your credentials (401); log in again" in answer.stderr


def test_a_cluster_that_does_not_answer(reflect: Reflect, cluster: Cluster, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        cluster.plane.kubeconfig.read_text().replace(cluster.plane.server, "https://127.0.0.1:9")
    )
    answer = reflect("status", "countdown", "--kubeconfig", str(config))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("no answer from https://127.0.0.1:9: ")
    assert "Traceback" not in answer.stderr


def test_a_cluster_that_does_not_know_the_kind(bare: Cluster, reflect: Reflect) -> None:
    answer = reflect("status", "countdown", "--kubeconfig", str(bare.plane.kubeconfig), KUBECONFIG="")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert (
        "does not know ReflectionTrainings; an administrator installs them: reflect crd | kubectl"
        in answer.stderr
    )


def test_a_run_that_is_deleted_while_it_is_watched(
    at_work: Run, user: dict[str, str], cluster: Cluster
) -> None:
    command = ["reflect", "events", "countdown", "--watch", "-n", at_work.namespace]
    watching = subprocess.Popen(command, env=user, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert watching.stdout is not None
        assert "Accepted" in watching.stdout.readline()
        cluster.delete(at_work.path)
        _, err = rest_of(watching)
    finally:
        watching.kill()
        watching.wait()
    assert watching.returncode == 1
    assert err.startswith("there is no ReflectionTraining countdown in namespace")
    assert cluster.find(f"{CORE}/namespaces/{at_work.namespace}")


def test_the_commands_of_the_page_do_what_it_says(
    at_work: Run, user: dict[str, str], cluster: Cluster, kubelet: Kubelet
) -> None:
    asked = [line for fence in fences(PAGE) if fence.language == "sh" for line in fence.text.splitlines()]
    assert len(asked) == 6
    for line in asked:
        words = line.replace("-n ml", f"-n {at_work.namespace}").split()
        # kubectl asks for a watch, which whoever starts runs may do.
        environment = user | ({"KUBECONFIG": str(cluster.plane.kubeconfig)} if "wait" in words else {})
        if "wait" in words:
            until(lambda: at_work.is_now("Ready", "True"), "going on", meanwhile=kubelet.tick)
        done = subprocess.run(words, env=environment, text=True, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_the_page_s_taint_is_the_one_that_the_table_of_faults_sets(cluster: Cluster, namespace: str) -> None:
    (words,) = [fence.text.split() for fence in fences(PAGE) if fence.text.startswith("kubectl taint")]
    node = f"{CORE}/nodes/{namespace}"
    cluster.create(f"{CORE}/nodes", {"metadata": {"name": namespace}})
    try:
        done = cluster.kubectl(*(namespace if word == "NODE" else word for word in words[1:]))
        assert done.returncode == 0, done.stderr
        taints = cluster.get(node)["spec"]["taints"]
    finally:
        cluster.delete(node)
    assert OUT_OF_SERVICE in taints


def test_on_a_terminal_it_is_one_screen_with_keys(
    at_work: Run, user: dict[str, str], log_server: KubeletLogs, kubelet: Kubelet
) -> None:
    for pod in kubelet.pods():
        log_server.write(pod["metadata"]["name"], "an answer\n")
    command = ["reflect", "status", "countdown", "-w", "-n", at_work.namespace]
    with on_terminal(command, user) as screen:
        for words in ("/countdown: Rollout", "RolloutJobCreated", "q quits, l shows the logs"):
            screen.wait_for(words)
        screen.press(b"l")
        screen.wait_for("[1] an answer")
        log_server.end()
        # The screen is back when the logs have ended.
        screen.wait_for("q quits, l shows the logs")
        screen.press(b"q")
        assert screen.program.wait(timeout=60) == 0
