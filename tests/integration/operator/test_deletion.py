"""Deleting a resource, its namespace or the whole kind, with and without `deletionPolicy: Delete`, operator there or not."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ...support.cluster import BATCH, CORE, Cluster, Obj, until
from ...support.crd import CRDS, install_crd, wait_for_the_collector
from ...support.kubelet import End, Kubelet, Wait, failed, stage_of, train_on
from ...support.operator_process import OperatorProcess
from ...support.s3_server import ROOT, S3Server
from .conftest import SHORT_LEASE, Run

CRD = f"{CRDS}/reflectiontrainings.reflection.training"
FINALIZER = "reflection.training/delete-artifacts"


def start(run: Run, operator: OperatorProcess, kubelet: Kubelet, **fields: object) -> Run:
    """A run whose training is at work."""
    kubelet.script = train_on
    operator.keep_running(*SHORT_LEASE)
    run.apply(**fields)
    until(lambda: run.status.get("phase") == "Training", "training", meanwhile=kubelet.tick)
    return run


def gone(cluster: Cluster, path: str, kubelet: Kubelet) -> None:
    until(lambda: cluster.find(path) is None, f"end of {path}", meanwhile=kubelet.tick)


def nothing_is_left(cluster: Cluster, namespace: str, kubelet: Kubelet) -> None:
    places = [f"{BATCH}/namespaces/{namespace}/jobs", *(f"{CORE}/namespaces/{namespace}/{kind}" for kind in (
        "pods", "services",
    ))]  # fmt: skip
    until(
        lambda: not any(cluster.items(place) for place in places),
        "end of all children",
        meanwhile=kubelet.tick,
    )
    maps = f"{CORE}/namespaces/{namespace}/configmaps"
    until(
        lambda: [each["metadata"]["name"] for each in cluster.items(maps)] == ["kube-root-ca.crt"],
        "end of the ConfigMaps",
    )


def really(pod: Obj, folder: Path) -> End:
    """Run the pod's own command with its own configuration, as a kubelet would."""
    folder.mkdir(exist_ok=True)
    (config := folder / "stage.json").write_text(
        pod["metadata"]["annotations"]["reflection.training/stage-config"]
    )
    (container,) = pod["spec"]["containers"]
    environment = {
        "REFLECT_CONFIG": config,
        "REFLECT_TERMINATION_LOG": folder / "end",
        "REFLECT_WORKDIR": folder,
    }
    ended = subprocess.run(
        [sys.executable, *container["command"][1:]],
        env=os.environ | ROOT.environment | {name: str(path) for name, path in environment.items()},
        check=False,
        timeout=60,
    )
    return End(ended.returncode, (folder / "end").read_text())


def test_with_the_resource_go_its_artefacts(
    run: Run,
    operator: OperatorProcess,
    kubelet: Kubelet,
    cluster: Cluster,
    s3_server: S3Server,
    tmp_path: Path,
) -> None:
    bucket, client = s3_server.new_bucket(), s3_server.client()
    start(
        run, operator, kubelet, spec__deletionPolicy="Delete",
        spec__storage={"uri": f"s3://{bucket}/runs", "endpoint": s3_server.endpoint},
    )  # fmt: skip
    stored = run.get()
    assert stored["metadata"]["finalizers"] == [FINALIZER]
    own = f"runs/{run.namespace}/countdown-{stored['metadata']['uid'][:8]}"
    for key in (f"{own}/round-1/train/model/manifest.json", f"{own}/report/index.html", "runs/another"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    alive: list[str] = []

    def script(pod: Obj) -> End | None:
        if stage_of(pod) != "cleanup":
            return train_on(pod)
        unended = [each for each in kubelet.pods() if each["status"]["phase"] in ("Pending", "Running")]
        alive.extend(each["metadata"]["name"] for each in unended if stage_of(each) != "cleanup")
        return really(pod, tmp_path / "pod")

    kubelet.script = script
    # In the foreground, which would take a Job with it that the resource owns.
    cluster.delete(run.path, policy="Foreground")
    gone(cluster, run.path, kubelet)
    assert alive == [], "nothing of the run may write any more while its artefacts are deleted"
    left = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["runs/another"]
    assert [reason for reason, _ in run.events()][-2:] == ["Deleting", "ArtifactsDeleted"]
    assert run.events()[-1][1] == f"2 objects below s3://{bucket}/{own}"
    nothing_is_left(cluster, run.namespace, kubelet)


def test_a_storage_that_is_away_is_said_and_whoever_does_not_want_to_wait_need_not(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    start(run, operator, kubelet, spec__deletionPolicy="Delete")
    away = failed("cleanup", 75, "StorageUnavailable", "s3://team/runs: no answer for 180 s")
    kubelet.script = lambda pod: away if stage_of(pod) == "cleanup" else train_on(pod)
    cluster.delete(run.path)
    ready = until(
        lambda: run.is_now("Ready", "False", "StorageUnavailable"), "reason", meanwhile=kubelet.tick
    )
    for words in ("no answer for 180 s", "attempt 2 at", "set spec.deletionPolicy to Retain"):
        assert words in ready["message"]
    assert run.status["phase"] == "Deleting"
    assert "no answer for 180 s" in run.told("StorageUnavailable")
    run.patch_as_the_page_says("deletionPolicy")
    gone(cluster, run.path, kubelet)
    nothing_is_left(cluster, run.namespace, kubelet)


@pytest.mark.parametrize(
    ("reason", "act", "words"),
    [
        (
            "SecretNotFound",
            Wait("CreateContainerConfigError", 'secret "s3-creds" not found'),
            'secret "s3-creds" not found',
        ),
        ("CleanupCrashed", End(1, "Traceback"), "Traceback"),
    ],
    ids=["keys that are gone already", "a crash"],
)
def test_a_clean_up_that_cannot_go_on_says_why_and_is_tried_again(
    run: Run,
    operator: OperatorProcess,
    kubelet: Kubelet,
    cluster: Cluster,
    reason: str,
    act: End | Wait,
    words: str,
) -> None:
    start(run, operator, kubelet, spec__deletionPolicy="Delete")
    kubelet.script = lambda pod: act if stage_of(pod) == "cleanup" else train_on(pod)
    cluster.delete(run.path)
    ready = until(lambda: run.is_now("Ready", "False", reason), "reason", meanwhile=kubelet.tick)
    assert words in ready["message"]
    kubelet.script = lambda _: End()
    gone(cluster, run.path, kubelet)
    nothing_is_left(cluster, run.namespace, kubelet)


def test_what_was_deleted_while_the_operator_was_away_goes_when_it_is_back(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    start(run, operator, kubelet, spec__deletionPolicy="Delete")
    operator.kill()
    cluster.delete(run.path)
    kubelet.script = lambda pod: None if stage_of(pod) in ("train", "cleanup") else End()
    operator.keep_running(*SHORT_LEASE)
    until(lambda: "cleanup-1" in run.job_names(), "clean-up", meanwhile=kubelet.tick)
    operator.kill()
    kubelet.script = lambda _: End()
    operator.keep_running(*SHORT_LEASE)
    gone(cluster, run.path, kubelet)
    nothing_is_left(cluster, run.namespace, kubelet)


def test_the_finalizer_goes_with_the_policy(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    start(run, operator, kubelet)
    assert "finalizers" not in run.get()["metadata"]
    run.change(deletionPolicy="Delete")
    until(lambda: run.get()["metadata"].get("finalizers") == [FINALIZER], "finalizer")
    cluster.patch(run.path, {"metadata": {"finalizers": ["example.com/other", FINALIZER]}})
    run.change(deletionPolicy="Retain")
    until(lambda: run.get()["metadata"]["finalizers"] == ["example.com/other"], "end of the finalizer")
    cluster.patch(run.path, {"metadata": {"finalizers": None}})


def test_without_the_operator_the_finalizer_can_be_taken_off_as_the_guide_says(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    start(run, operator, kubelet, spec__deletionPolicy="Delete")
    operator.kill()
    cluster.delete(run.path)
    assert "deletionTimestamp" in run.get()["metadata"]
    run.patch_as_the_page_says("finalizers")
    gone(cluster, run.path, kubelet)
    nothing_is_left(cluster, run.namespace, kubelet)


@pytest.fixture
def kind(bare: Cluster) -> None:
    """The kind is there, again where a test has deleted it, and whoever collects garbage knows it."""
    install_crd(bare)
    wait_for_the_collector(bare)


@pytest.fixture(scope="module")
def everywhere(bare: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """An operator for a whole cluster, which outlives the namespaces that it works in; not started yet."""
    bare.create(f"{CORE}/namespaces", {"metadata": {"name": "ops"}})
    process = OperatorProcess(bare, "ops", tmp_path_factory.mktemp("ops") / "operator.log", everywhere=True)
    yield process
    process.end()
    print(process.log())


def somewhere(bare: Cluster, policy: str) -> tuple[Run, Kubelet]:
    name = f"{policy.lower()}-{secrets.token_hex(4)}"
    bare.create(f"{CORE}/namespaces", {"metadata": {"name": name}})
    return Run(bare, name), Kubelet(bare, name)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("there", [True, False], ids=["operator up", "operator down"])
def test_a_namespace_does_not_wait_for_artefacts(
    bare: Cluster, everywhere: OperatorProcess, policy: str, there: bool
) -> None:
    """In a namespace that is being deleted nothing can be created: the artefacts stay, and the operator's log says so."""
    run, kubelet = somewhere(bare, policy)
    start(run, everywhere, kubelet, spec__deletionPolicy=policy)
    path = f"{CORE}/namespaces/{run.namespace}"
    try:
        if not there:
            everywhere.kill()
        bare.delete(path)
        if policy == "Delete" and not there:
            until(lambda: "deletionTimestamp" in run.get()["metadata"], "deletion", meanwhile=kubelet.tick)
            everywhere.keep_running(*SHORT_LEASE)
        gone(bare, path, kubelet)
    finally:
        everywhere.end()
    assert (f"they stay in s3://team/runs/{run.namespace}/" in everywhere.log()) is (policy == "Delete")


@pytest.mark.usefixtures("kind")
def test_the_kind_goes_with_all_runs_of_either_policy(bare: Cluster, everywhere: OperatorProcess) -> None:
    runs = [somewhere(bare, policy) for policy in ("Retain", "Delete")]

    def tick() -> None:
        for _, kubelet in runs:
            kubelet.tick()

    try:
        for run, kubelet in runs:
            kubelet.script = train_on
            run.apply(spec__deletionPolicy=run.namespace.split("-")[0].capitalize())
        everywhere.keep_running(*SHORT_LEASE)
        for run, _ in runs:
            until(lambda run=run: run.status.get("phase") == "Training", "training", meanwhile=tick)
        delete_crd(bare, tick)
    finally:
        everywhere.end()
    for run, kubelet in runs:
        nothing_is_left(bare, run.namespace, kubelet)


@pytest.mark.usefixtures("kind")
def test_the_kind_goes_while_no_operator_is_there(bare: Cluster, everywhere: OperatorProcess) -> None:
    run, kubelet = somewhere(bare, "Retain")
    start(run, everywhere, kubelet)
    everywhere.kill()
    delete_crd(bare, kubelet.tick)
    nothing_is_left(bare, run.namespace, kubelet)


@pytest.mark.usefixtures("kind")
def test_the_kind_waits_for_runs_whose_artefacts_go_until_an_operator_is_there(
    bare: Cluster, everywhere: OperatorProcess
) -> None:
    run, kubelet = somewhere(bare, "Delete")
    start(run, everywhere, kubelet, spec__deletionPolicy="Delete")
    everywhere.kill()
    bare.delete(CRD)
    until(lambda: "deletionTimestamp" in run.get()["metadata"], "deletion of the run", meanwhile=kubelet.tick)
    try:
        everywhere.keep_running(*SHORT_LEASE)
        gone(bare, CRD, kubelet)
    finally:
        everywhere.end()
    nothing_is_left(bare, run.namespace, kubelet)


def delete_crd(cluster: Cluster, meanwhile: Callable[[], None]) -> None:
    cluster.delete(CRD)
    until(lambda: cluster.find(CRD) is None, "end of the CRD", meanwhile=meanwhile)
    until(lambda: not cluster.items(f"{BATCH}/jobs"), "end of the Jobs", meanwhile=meanwhile)
