"""The product as it is installed: Helm, a resource, pods on real nodes, everything in S3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from scripts.image import build

from ..support.cluster import CORE, RUNS, Cluster, Obj, until
from ..support.helm import CHART, Helm
from ..support.nodes import images
from ..support.nodes.cluster import ClusterWithNodes
from ..support.nodes.s3 import ENDPOINT, S3InCluster
from ..support.nodes.s3 import IMAGE as S3_IMAGE
from ..support.nodes.volumes import environment, offer

EXAMPLE = images.ROOT / "examples/countdown"
OPERATOR_IMAGE = "reflect.test/ml/reflect-operator:0.1.0"
TRAINER_IMAGE = "reflect.test/ml/reflect-trainer:0.1.0"
BUCKET = "team"
RUN_LIMIT_S = 900


@pytest.fixture(scope="module")
def loaded(nodes: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> ClusterWithNodes:
    """Nodes that have all images, as an air-gapped cluster has."""
    folder = tmp_path_factory.mktemp("images")
    archives = [folder / name for name in ("operator.tar", "trainer.tar", "s3.tar")]
    build(archives[0], OPERATOR_IMAGE)
    images.trainer_image(archives[1], TRAINER_IMAGE)
    images.s3_image(archives[2], S3_IMAGE)
    for node in nodes.nodes:
        for archive in archives:
            node.images(archive)
    return nodes


@pytest.fixture(scope="module")
def s3(loaded: ClusterWithNodes) -> S3InCluster:
    server = S3InCluster(loaded)
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    for file in (*(EXAMPLE / "model").iterdir(), *(EXAMPLE / "prompts").iterdir()):
        client.upload_file(str(file), BUCKET, f"inputs/{file.parent.name}/{file.name}")
    return server


@pytest.fixture(scope="module")
def helm(loaded: ClusterWithNodes, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The operator is installed."""
    helm = Helm(tmp_path_factory.mktemp("helm"), loaded.plane.kubeconfig)
    helm.did(
        "install", "reflect-operator", CHART, "--namespace", "reflect-system", "--create-namespace", "--wait",
        "--set", "imageRegistry=reflect.test/ml",
    )  # fmt: skip
    return helm


def countdown(namespace: str) -> Obj:
    """The example, with its addresses changed and the environment of this checkout mounted."""
    resource: Obj = yaml.safe_load((EXAMPLE / "reflectiontraining.yaml").read_text())
    resource["metadata"]["namespace"] = namespace
    settings = resource["spec"]
    settings["model"]["uri"] = f"s3://{BUCKET}/inputs/model"
    settings["task"]["prompts"]["uri"] = f"s3://{BUCKET}/inputs/prompts/train.jsonl"
    settings["evaluation"]["prompts"]["uri"] = f"s3://{BUCKET}/inputs/prompts/heldout.jsonl"
    settings["storage"] = {
        "uri": f"s3://{BUCKET}/runs", "endpoint": ENDPOINT, "credentialsSecret": "s3", "caSecret": "s3-ca",
    }  # fmt: skip
    variables = {"OMP_NUM_THREADS": "1", "HOME": "/scratch"}
    settings["pods"] = {
        "common": environment(images.ENVIRONMENT)
        | {"env": [{"name": name, "value": value} for name, value in variables.items()]}
    }
    return resource


@pytest.mark.timeout(RUN_LIMIT_S + 300)
def test_the_example_succeeds(
    helm: Helm, s3: S3InCluster, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    for number, folder in enumerate(images.ENVIRONMENT):
        offer(cluster, namespace, f"environment-{number}", folder)
    s3.secrets(namespace)
    resource = countdown(namespace)
    resource["spec"]["rollout"] |= {"engine": "transformers", "workers": 2, "attemptsPerPrompt": 2}
    resource["spec"]["task"]["prompts"]["limit"] = 200
    resource["spec"]["training"]["maxSteps"] = 4
    resource["spec"]["evaluation"] |= {"attemptsPerPrompt": 1, "gates": {}}
    file = tmp_path / "reflectiontraining.yaml"
    file.write_text(yaml.safe_dump(resource))
    applied = cluster.kubectl("apply", "-f", str(file))
    assert applied.returncode == 0, applied.stderr
    path = f"{RUNS}/namespaces/{namespace}/reflectiontrainings/countdown-tiny"

    def succeeded() -> Obj | None:
        status = cluster.get(path).get("status", {})
        for each in status.get("conditions", []):
            if each["type"] == "Succeeded" and each["status"] != "Unknown":
                return dict(each)
        return None

    end = until(succeeded, "end of the run", patience=RUN_LIMIT_S)
    assert end["status"] == "True", json.dumps(cluster.get(path)["status"], indent=1)
    nodes_of = {
        (pod["metadata"]["labels"]["reflection.training/stage"], pod["spec"]["nodeName"])
        for pod in cluster.items(f"{CORE}/namespaces/{namespace}/pods")
    }
    assert {node for stage, node in nodes_of if stage == "rollout"} == {"node-1", "node-2"}
