"""The product as it is installed: Helm, a resource, pods on real nodes, everything in S3, and what it made read back."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from ..support.cluster import CORE, RUNS, Cluster, Obj, until
from ..support.helm import Helm
from ..support.nodes.example import BUCKET, change, countdown, prepare, spread
from ..support.nodes.s3 import S3InCluster

RUN_LIMIT_S = 900
SHORT = {
    "rollout": {"engine": "transformers", "workers": 2, "attemptsPerPrompt": 2},
    "pods.rollout.topologySpreadConstraints": spread("rollout"),
    "task.prompts.limit": 200,
    "training.maxSteps": 4,
    "evaluation": {"attemptsPerPrompt": 1, "gates": {}},
}


def test_the_example_succeeds(
    helm: Helm, s3: S3InCluster, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    prepare(cluster, s3, namespace)
    resource = countdown(namespace)
    change(resource["spec"], SHORT)
    file = tmp_path / "reflectiontraining.yaml"
    file.write_text(yaml.safe_dump(resource))
    applied = cluster.kubectl("apply", "-f", str(file))
    assert applied.returncode == 0, applied.stderr
    path = f"{RUNS}/namespaces/{namespace}/reflectiontrainings/countdown-tiny"
    end = until(lambda: _end(cluster, path), "end of the run", patience=RUN_LIMIT_S)
    status = cluster.get(path)["status"]
    assert end["status"] == "True", json.dumps(status, indent=1)
    nodes_of = {
        (pod["metadata"]["labels"]["reflection.training/stage"], pod["spec"]["nodeName"])
        for pod in cluster.items(f"{CORE}/namespaces/{namespace}/pods")
    }
    assert {node for stage, node in nodes_of if stage == "rollout"} == {"node-1", "node-2"}
    _check_dataset(s3, status["dataset"], tmp_path)
    _check_model(s3, status["dataset"]["uri"].replace("/verify", "/train/model"), tmp_path)


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
    for found in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        file = folder / found["Key"].removeprefix(prefix)
        file.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(BUCKET, found["Key"], str(file))
        files.append(file)
    return files


def _end(cluster: Cluster, path: str) -> Obj | None:
    """The condition Succeeded, once it says how the run has ended."""
    conditions: list[Obj] = cluster.get(path).get("status", {}).get("conditions", [])
    ends = (each for each in conditions if each["type"] == "Succeeded" and each["status"] != "Unknown")
    return next(ends, None)
