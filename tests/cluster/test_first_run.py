"""The README's way to a run on a cluster, word for word: Helm, a resource, pods on real nodes, and what it made read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from ..support.cluster import CORE, RUNS, Cluster, Obj
from ..support.helm import Helm
from ..support.kubernetes_programs import find_programs
from ..support.nodes import example
from ..support.nodes.policy import adding_to_runs, wait_until_added
from ..support.nodes.s3 import ENDPOINT, S3InCluster
from ..support.pages import ROOT, fences
from ..support.s3_server import ROOT as KEY
from ..support.shell import in_shell

NAMESPACE = "ml"
NAME = "countdown-tiny"
PROGRAMS = ("helm", "kubectl")
VALUES = ROOT / "build/cluster/values.yaml"
"""Where CONTRIBUTING.md says that the values of this cluster are."""


@pytest.fixture
def as_of_new(admin: Helm, cluster: Cluster) -> Iterator[None]:
    """No operator is there at first; one that other tests have installed is there again at the end."""
    was_there = example.operator_is_installed(admin)
    example.remove_operator(admin)
    example.restrict(cluster, example.SYSTEM)
    yield
    example.remove_operator(admin)
    if was_there:
        example.install_operator(admin, cluster)


@pytest.mark.timeout(3600, func_only=False)
@pytest.mark.usefixtures("as_of_new")
def test_the_readmes_way_to_a_run(
    admin: Helm, s3: S3InCluster, cluster: Cluster, namespaces: list[str], tmp_path: Path
) -> None:
    """The README's way to a run, word for word"""
    environment = admin.shell(find_programs().kubectl, tmp_path / "bin") | KEY.environment
    namespaces.append(NAMESPACE)
    install, prepare, run = _shown("README.md")
    _works(install, environment)
    # This cluster's own part, as values: images without an environment, its S3 server, pods of a stage on different nodes.
    added = {
        # Which image its pods have is the example's to say.
        "pods/common": example.pods_here()["common"] | {"image": _image_of_the_example()},
        "pods/rollout": {"topologySpreadConstraints": example.spread("rollout")},
        "storage/endpoint": ENDPOINT,
        "storage/caSecret": "s3-ca",
    }
    VALUES.parent.mkdir(parents=True, exist_ok=True)
    VALUES.write_text(yaml.safe_dump(example.VALUES | {"extraObjects": adding_to_runs(NAMESPACE, added)}))
    (upgrade,) = _shown("CONTRIBUTING.md")
    _works(upgrade, environment)
    _works(prepare, environment)
    example.restrict(cluster, NAMESPACE)
    example.prepare(cluster, s3, NAMESPACE)
    wait_until_added(cluster, NAMESPACE, added, example.countdown(NAMESPACE))
    print(_works(run, environment))
    status = cluster.get(f"{RUNS}/namespaces/{NAMESPACE}/reflectiontrainings/{NAME}")["status"]
    _check_learning(status)
    _check_pods(cluster)
    _check_walls(cluster)
    _check_dataset(s3, status["dataset"], tmp_path)
    _check_model(s3, status["dataset"]["uri"].replace("/verify", "/train/model"), tmp_path)


def _image_of_the_example() -> str:
    kustomization = yaml.safe_load((example.EXAMPLE / "kustomization.yaml").read_text())
    (patch,) = kustomization["patches"]
    image: str = yaml.safe_load(patch["patch"])["spec"]["pods"]["common"]["image"]
    return image


def _shown(page: str) -> list[str]:
    """The commands of a page for a cluster."""
    return [
        fence.text
        for fence in fences(ROOT / page)
        if fence.language == "sh" and fence.text.startswith(PROGRAMS)
    ]


def _works(words: str, environment: dict[str, str]) -> str:
    done = in_shell(f"set -eu\n{words}", ROOT, environment)
    assert done.returncode == 0, f"{words}\n{done.stdout}"
    return done.stdout


def _check_learning(status: Obj) -> None:
    """As much as the example asks for, here as on one machine."""
    gates = example.countdown(NAMESPACE)["spec"]["evaluation"]["gates"]
    figures = status["evaluation"]
    assert figures["secondTry"]["change"] >= gates["minGain"], figures
    assert figures["firstTry"]["change"] >= -gates["maxFirstTryLoss"], figures


def _check_pods(cluster: Cluster) -> None:
    """Both workers of the rollout had a node of their own."""
    nodes = [
        pod["spec"]["nodeName"]
        for pod in cluster.items(f"{CORE}/namespaces/{NAMESPACE}/pods")
        if pod["metadata"]["labels"]["reflection.training/stage"] == "rollout"
    ]
    assert sorted(nodes) == ["node-1", "node-2"]


def _check_walls(cluster: Cluster) -> None:
    """Operator and run had the restricted standard around them, and a NetworkPolicy."""
    for namespace in (example.SYSTEM, NAMESPACE):
        labels = cluster.get(f"{CORE}/namespaces/{namespace}")["metadata"]["labels"]
        assert example.RESTRICTED.items() <= labels.items()
        assert cluster.items(f"{example.NETWORKING}/namespaces/{namespace}/{example.POLICIES}")


def _check_dataset(s3: S3InCluster, dataset: Obj, folder: Path) -> None:
    """The failures, as anybody reads them."""
    from datasets import load_dataset

    files = _download(s3, dataset["uri"], folder / "dataset")
    shards = [str(file) for file in files if file.suffix == ".parquet"]
    rows = load_dataset("parquet", data_files=shards, split="train", cache_dir=str(folder / "cache"))
    assert len(rows) == dataset["failures"] > 0
    assert {"messages", "completion", "reason"} <= set(rows.column_names)


def _check_model(s3: S3InCluster, uri: str, folder: Path) -> None:
    """The trained model, as anybody reads it, and it answers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _download(s3, uri, folder / "model")
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    question = [{"role": "user", "content": "make 13 from 11 2"}]
    prompt = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert set(tokenizer.decode(answer, skip_special_tokens=True).split()) & {"11", "2", "13"}


def _download(s3: S3InCluster, uri: str, folder: Path) -> list[Path]:
    """Everything below an address."""
    prefix = f"{urlsplit(uri).path.strip('/')}/"
    client = s3.client()
    files = []
    for found in client.list_objects_v2(Bucket=example.BUCKET, Prefix=prefix)["Contents"]:
        file = folder / found["Key"].removeprefix(prefix)
        file.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(example.BUCKET, found["Key"], str(file))
        files.append(file)
    return files
