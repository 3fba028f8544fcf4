"""The example of examples/countdown as it is on nodes: images, inputs in the S3 server of the cluster, the resource."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from scripts.image import build

from ..cluster import CORE, Cluster, Obj
from ..helm import CHART, Helm
from ..pages import fences
from . import images
from .cluster import ClusterWithNodes
from .s3 import ENDPOINT, NODE, S3InCluster
from .s3 import IMAGE as S3_IMAGE
from .volumes import environment, offer

EXAMPLE = images.ROOT / "examples/countdown"
REGISTRY = "registry.example.com/ml"
"""As the pages call theirs: nodes that have the images pull nothing."""
TRAINER_IMAGE = f"{REGISTRY}/reflect-trainer:0.1.0-cpu"
"""The one for processors, as the example asks for it; the other one is on no node."""
VERIFIER_IMAGE = f"{REGISTRY}/verifier:1"
BUCKET = "team"
SYSTEM = "reflect-system"
"""Namespace of the operator."""
RELEASE = "reflect-operator"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""Labels of a namespace that enforces the restricted Pod Security Standard."""
POLICIES = "networkpolicies"
NETWORKING = "/apis/networking.k8s.io/v1"
VALUES: dict[str, Any] = {
    "nodeSelector": {"kubernetes.io/hostname": NODE},
    "networkPolicy": {"enabled": True},
}
"""Of the chart: the operator is where the storage is, since tests take the other node away."""


def load_images(nodes: ClusterWithNodes, folder: Path) -> None:
    """Bring all images to the nodes, as an air-gapped cluster has them."""
    images.compile_environment()
    archives = [folder / name for name in ("operator.tar", "trainer.tar", "verifier.tar", "s3.tar")]
    build(archives[0], f"{REGISTRY}/reflect-operator:0.1.0")
    images.trainer_image(archives[1], TRAINER_IMAGE)
    images.verifier_image(archives[2], VERIFIER_IMAGE)
    images.s3_image(archives[3], S3_IMAGE)
    for archive in archives:
        nodes.load(archive)


def upload_inputs(s3: S3InCluster) -> None:
    """Make the bucket, with the model and the questions in it."""
    client = s3.client()
    client.create_bucket(Bucket=BUCKET)
    for file in (*(EXAMPLE / "model").iterdir(), *(EXAMPLE / "prompts").iterdir()):
        client.upload_file(str(file), BUCKET, f"countdown/{file.parent.name}/{file.name}")


def restrict(cluster: Cluster, namespace: str) -> None:
    """Have a namespace, new or not, enforce the restricted Pod Security Standard."""
    place, labelled = f"{CORE}/namespaces", {"metadata": {"name": namespace, "labels": RESTRICTED}}
    if cluster.find(f"{place}/{namespace}") is None:
        cluster.create(place, labelled)
    else:
        cluster.patch(f"{place}/{namespace}", labelled)


def install_operator(helm: Helm, cluster: Cluster, *, chart: Path = CHART) -> None:
    """Install it, in a namespace that is restricted before it has pods."""
    restrict(cluster, SYSTEM)
    _changed(helm, "install", chart)


def upgrade_operator(helm: Helm, chart: Path) -> None:
    """Bring the release to another chart."""
    _changed(helm, "upgrade", chart)


def _changed(helm: Helm, how: str, chart: Path) -> None:
    values = {"imageRegistry": REGISTRY, **VALUES}
    helm.did(how, RELEASE, chart, "--namespace", SYSTEM, "--wait", values=values)


def operator_is_installed(helm: Helm) -> bool:
    return RELEASE in helm.did("list", "--short", "--namespace", SYSTEM).split()


def remove_operator(helm: Helm) -> None:
    """Uninstall it, unless it is gone; definition and runs stay."""
    helm.did("uninstall", RELEASE, "--namespace", SYSTEM, "--ignore-not-found", "--wait")


def prepare(cluster: Cluster, s3: S3InCluster, namespace: str) -> None:
    """What a run needs in its namespace: this checkout's environment as volumes, keys to the storage, and a NetworkPolicy."""
    for number, folder in enumerate(images.ENVIRONMENT):
        offer(cluster, namespace, f"environment-{number}", folder)
    s3.secrets(namespace)
    cluster.create(f"{NETWORKING}/namespaces/{namespace}/{POLICIES}", network_policy())


def network_policy() -> Obj:
    """For the pods of runs, as docs/security.md has it."""
    (text,) = (
        each.text for each in fences(images.ROOT / "docs/security.md") if "kind: NetworkPolicy" in each.text
    )
    policy: Obj = yaml.safe_load(text)
    return policy


def rights(name: str, of: str = "", to: str = "") -> list[Obj]:
    """The statements of a policy of docs/storage.md, with `to` in place of a part `of` it."""
    (text,) = [fence.text for fence in fences(images.ROOT / "docs/storage.md") if fence.name == name]
    assert of in text
    statements: list[Obj] = json.loads(text.replace(of, to) if of else text)["Statement"]
    return statements


def countdown(namespace: str) -> Obj:
    """The example, with its addresses changed and the environment of this checkout mounted."""
    resource: Obj = yaml.safe_load((EXAMPLE / "reflectiontraining.yaml").read_text())
    resource["metadata"]["namespace"] = namespace
    settings = resource["spec"]
    settings["model"]["uri"] = f"s3://{BUCKET}/countdown/model"
    settings["task"]["prompts"]["uri"] = f"s3://{BUCKET}/countdown/prompts/train.jsonl"
    settings["evaluation"]["prompts"]["uri"] = f"s3://{BUCKET}/countdown/prompts/heldout.jsonl"
    settings["storage"] = {
        "uri": f"s3://{BUCKET}/runs", "endpoint": ENDPOINT, "credentialsSecret": "s3", "caSecret": "s3-ca",
    }  # fmt: skip
    settings["pods"] = pods_here()
    return resource


def pods_here() -> Obj:
    """`spec.pods` with the environment of this checkout mounted."""
    variables = {"OMP_NUM_THREADS": "1", "HOME": "/scratch"}
    return {
        "common": {"image": TRAINER_IMAGE}
        | environment(images.ENVIRONMENT)
        | {"env": [{"name": name, "value": value} for name, value in variables.items()]}
    }


def spread(stage: str) -> list[Obj]:
    """Constraints of the pods of a stage: as many on one node as on the other."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"reflection.training/stage": stage}},
        }
    ]


def change(spec: dict[str, Any], changes: dict[str, Any]) -> None:
    """Lay changes over a spec; their keys are dotted paths. What is a mapping on both sides is merged; None takes away."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = spec
        for name in parents:
            place = place.setdefault(name, {})
        old = place.get(last)
        place[last] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
        if isinstance(place[last], dict):
            place[last] = {name: each for name, each in place[last].items() if each is not None}
