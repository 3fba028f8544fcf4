"""What the chart makes of its values, by Helm itself, without a cluster."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from pydantic import TypeAdapter
from pydantic_settings import CliApp
from reflection_operator.kube.options import Options
from reflection_operator.kube.rbac import manifests

from ...support.helm import CHART, Helm, Obj, container, environment, of_kind, one
from .values import DIGEST, EVERYTHING

CRD = CHART.parents[1] / "crds/reflectiontrainings.yaml"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def bare(obj: Obj) -> Obj:
    """An object without the labels of the chart."""
    return obj | {"metadata": {name: part for name, part in obj["metadata"].items() if name != "labels"}}


def options(objects: list[Obj]) -> Options:
    """The options that the operator of a release gets."""
    with patch.dict(os.environ, environment(objects)):
        return CliApp.run(Options, cli_args=container(objects)["args"])


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_has_nothing_to_say_against_it(helm: Helm, values: dict[str, Any]) -> None:
    said = helm.did("lint", "--strict", CHART, values=values)
    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert [line for line in said.splitlines() if line.startswith(("[WARNING]", "[ERROR]"))] == []


def test_by_default_it_is_the_operator_and_no_more(helm: Helm) -> None:
    assert sorted(f"{obj['kind']} {obj['metadata']['name']}" for obj in helm.render()) == [
        "ClusterRole reflect-operator",
        "ClusterRole reflect-operator-edit",
        "ClusterRole reflect-operator-progress-ops",
        "ClusterRole reflect-operator-view",
        "ClusterRoleBinding reflect-operator",
        "ClusterRoleBinding reflect-operator-progress-ops",
        "CustomResourceDefinition reflectiontrainings.reflection.training",
        "Deployment reflect-operator",
        "Role reflect-operator-lease",
        "RoleBinding reflect-operator-lease",
        "Service reflect-operator-progress",
        "ServiceAccount reflect-operator",
    ]


@pytest.mark.parametrize("progress", [True, False], ids=["progress", "no progress"])
@pytest.mark.parametrize("namespaces", [[], ["team-a", "team-b"]], ids=["cluster", "namespaces"])
def test_its_permissions_are_those_that_the_operator_asks_for(
    helm: Helm, namespaces: list[str], progress: bool
) -> None:
    values = {"watchNamespaces": namespaces, "rbac": {"aggregatedRoles": False}}
    objects = helm.render(values | {"progress": {"enabled": progress}})
    found = [bare(obj) for obj in objects if obj["apiVersion"].startswith("rbac.")]

    def key(obj: Obj) -> tuple[str, ...]:
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    assert sorted(found, key=key) == sorted(
        manifests(namespaces, "ops", "reflect-operator", progress=progress), key=key
    )
    assert options(objects).namespaces == namespaces
    if namespaces:
        cluster = [obj["metadata"]["name"] for obj in found if obj["kind"] == "ClusterRole"]
        assert cluster == (["reflect-operator-progress-ops"] if progress else [])


def test_what_is_left_for_the_cluster_with_namespaces(helm: Helm) -> None:
    """As the description of watchNamespaces says."""
    left = ["reflect-operator-edit", "reflect-operator-progress-ops", "reflect-operator-view"]
    found = of_kind(helm.render({"watchNamespaces": ["team-a"]}), "ClusterRole")
    assert sorted(obj["metadata"]["name"] for obj in found) == left


@pytest.mark.parametrize(
    ("values", "annotations"),
    [({}, {"helm.sh/resource-policy": "keep"}), ({"crds": {"keep": False}}, None)],
    ids=["kept", "not kept"],
)
def test_the_crd_is_the_generated_one(helm: Helm, values: dict[str, Any], annotations: Any) -> None:
    crd = one(helm.render(values), "CustomResourceDefinition")
    assert crd["metadata"].pop("annotations", None) == annotations
    assert bare(crd) == yaml.safe_load(CRD.read_text())


def test_without_the_crd(helm: Helm) -> None:
    assert of_kind(helm.render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


SETTINGS: list[tuple[str, Any, str, Any]] = [
    ("gpuResource", "amd.com/gpu", "gpu_resource", "amd.com/gpu"),
    ("trainingGraceSeconds", 86_400, "training_grace_seconds", 86_400),
    ("workers", 3, "workers", 3),
    ("resyncSeconds", 1_000_000, "resync_seconds", 1_000_000.0),
    ("watchDeadSeconds", 90.5, "watch_dead_seconds", 90.5),
    ("logFormat", "text", "log_format", "text"),
    ("logLevel", "debug", "log_level", "debug"),
    ("leaderElection", {"enabled": False}, "leader_election", False),
    ("leaderElection", {"durationSeconds": 60}, "lease_duration_seconds", 60.0),
    ("leaderElection", {"renewDeadlineSeconds": 12}, "lease_renew_deadline_seconds", 12.0),
    ("leaderElection", {"retrySeconds": 0.5}, "lease_retry_seconds", 0.5),
]
"""Name and value in the section `operator`, name and value among the operator's options."""
ELSEWHERE = {
    "namespaces", "trainer_image", "image_pull_policy", "lease_name", "identity", "progress_url", "progress_port",
}  # fmt: skip
"""Options that the chart derives from its other values; the tests beside this one look at them."""
NOT_IN_A_POD = {"kubeconfig", "lease_namespace", "health_host", "health_port", "progress_host"}
"""What a pod has by itself."""


@pytest.mark.parametrize(("name", "value", "option", "expected"), SETTINGS, ids=lambda part: str(part)[:24])
def test_a_setting_reaches_the_operator(
    helm: Helm, name: str, value: Any, option: str, expected: Any
) -> None:
    found = options(helm.render({"operator": {name: value}}))
    assert getattr(found, option) == expected


def test_every_option_of_the_operator_can_be_set() -> None:
    assert {option for _, _, option, _ in SETTINGS} | ELSEWHERE | NOT_IN_A_POD == set(Options.model_fields)


def test_defaults_and_bounds_of_the_settings_are_the_operators_own(helm: Helm) -> None:
    section = SCHEMA["properties"]["operator"]["properties"]
    parts = {name: part for name, part in section.items() if name != "leaderElection"}
    parts |= {
        f"leaderElection.{name}": part for name, part in section["leaderElection"]["properties"].items()
    }
    own = TypeAdapter(Options).json_schema()["properties"]
    renamed = {"leaderElection.enabled": "leader_election"}
    bounds = ("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "enum", "default")
    for name, part in parts.items():
        snake = re.sub(r"([A-Z])", r"_\1", name).lower().replace("leader_election.", "lease_")
        theirs = own[renamed.get(name, snake)]
        assert {each: part.get(each) for each in bounds} == {each: theirs.get(each) for each in bounds} | (
            {"default": "json"} if name == "logFormat" else {}
        ), name
    # Machines read the logs of a pod.
    assert options(helm.render()).log_format == "json"


def test_images(helm: Helm) -> None:
    def of(values: dict[str, Any]) -> tuple[str, str, str]:
        objects = helm.render(values)
        chosen = options(objects)
        return container(objects)["image"], chosen.trainer_image, chosen.image_pull_policy

    assert of({}) == ("reflect-operator:0.1.0", "reflect-trainer:0.1.0", "IfNotPresent")
    assert of(EVERYTHING) == (
        f"registry.example.com/ml/reflect-operator@{DIGEST}",
        "registry.example.com/ml/reflect-trainer:gpu-1",
        "Always",
    )


def test_every_release_has_a_lease_of_its_own(helm: Helm) -> None:
    assert options(helm.render()).lease_name == "reflect-operator"
    assert options(helm.render(name="blue")).lease_name == "blue-reflect-operator"


def test_a_replica_is_called_after_its_pod(helm: Helm) -> None:
    """A container that is started again need not wait for its own Lease."""
    (field,) = (
        each["valueFrom"] for each in container(helm.render())["env"] if each["name"] == "REFLECT_IDENTITY"
    )
    assert field == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert options(helm.render()).identity.startswith("reflect-operator-")


def test_pods_report_to_a_service_of_the_release(helm: Helm) -> None:
    objects = helm.render({"progress": {"port": 9443}}, name="blue")
    chosen = options(objects)
    assert (chosen.progress_url, chosen.progress_port) == (
        "https://blue-reflect-operator-progress.ops.svc:9443",
        9443,
    )
    (service,) = of_kind(objects, "Service")
    assert service["metadata"]["name"] == "blue-reflect-operator-progress"
    (port,) = service["spec"]["ports"]
    named = {each["name"]: each["containerPort"] for each in container(objects)["ports"]}
    assert (port["port"], named[port["targetPort"]]) == (9443, 9443)
    without = helm.render({"progress": {"enabled": False}})
    assert (options(without).progress_url, of_kind(without, "Service")) == ("", [])


def test_the_pod(helm: Helm) -> None:
    objects = helm.render(EVERYTHING)
    deployment = one(objects, "Deployment")
    assert deployment["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["annotations"].items() >= EVERYTHING["podAnnotations"].items()
    assert pod["metadata"]["labels"].items() >= EVERYTHING["podLabels"].items()
    for name in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations", "affinity"):
        assert pod["spec"][name] == EVERYTHING[name]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == deployment["spec"]["selector"]
    operator = container(objects)
    assert operator["env"][-1:] == EVERYTHING["extraEnv"]
    assert operator["ports"] == [
        {"name": name, "containerPort": Options.model_fields[f"{name}_port"].default, "protocol": "TCP"}
        for name in ("health", "progress")
    ]
    probes = {name: operator[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/healthz", "port": "health"},
        "liveness": {"path": "/healthz", "port": "health"},
        "readiness": {"path": "/readyz", "port": "health"},
    }
    # A pod that is told to stop waits ten seconds for its watches, beside its writes.
    assert pod["spec"]["terminationGracePeriodSeconds"] > 20


def test_a_single_replica_without_election_is_never_two(helm: Helm) -> None:
    objects = helm.render({"operator": {"leaderElection": {"enabled": False}}})
    assert one(objects, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown value", {"replica": 2}, "'replica' not allowed"),
    ("digest", {"image": {"digest": "sha256:abc"}}, "/image/digest"),
    ("namespace", {"watchNamespaces": ["Team_A"]}, "/watchNamespaces/0"),
    ("workers", {"operator": {"workers": 0}}, "/operator/workers"),
    (
        "replicas without election",
        {"replicas": 2, "operator": {"leaderElection": {"enabled": False}}},
        "replicas: 2 replicas would all act at once: set operator.leaderElection.enabled: true, or replicas: 1",
    ),
    (
        "lease times",
        {"operator": {"leaderElection": {"retrySeconds": 5}}},
        "durationSeconds (15) must be more than renewDeadlineSeconds (10), and that more than twice retrySeconds (5)",
    ),
    (
        "monitor without service",
        {"metrics": {"serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled: there is no Service to scrape: set metrics.service.enabled: true",
    ),
    (
        "alerts without series",
        {"metrics": {"prometheusRule": {"enabled": True}}},
        "set metrics.serviceMonitor.enabled: true",
    ),
    (
        "both bounds of a budget",
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": 1}},
        "podDisruptionBudget: set one of minAvailable and maxUnavailable, and the other to null",
    ),
    (
        "nobody's account",
        {"serviceAccount": {"create": False}},
        "serviceAccount.name: name the account to use, or set serviceAccount.create: true",
    ),
]


@pytest.mark.parametrize(
    ("values", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_wrong_values_are_refused_with_a_sentence(helm: Helm, values: dict[str, Any], words: str) -> None:
    refused = helm.run("template", "reflect-operator", CHART, values=values)
    assert refused.returncode != 0
    assert words in refused.stderr, refused.stderr


def test_a_budget_may_say_how_many_may_go(helm: Helm) -> None:
    values = {"podDisruptionBudget": {"enabled": True, "minAvailable": None, "maxUnavailable": "50%"}}
    assert one(helm.render(values), "PodDisruptionBudget")["spec"]["maxUnavailable"] == "50%"


def test_an_account_that_is_there_already(helm: Helm) -> None:
    objects = helm.render({"serviceAccount": {"create": False, "name": "ours"}})
    assert of_kind(objects, "ServiceAccount") == []
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "ours"
    bindings = of_kind(objects, "ClusterRoleBinding")
    assert [binding["subjects"][0]["name"] for binding in bindings] == ["ours", "ours"]


def test_every_object_has_the_labels(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    for obj in helm.render(EVERYTHING):
        if obj["metadata"]["name"] in ("a-map", "a-text"):
            continue
        labels = obj["metadata"]["labels"]
        assert labels["team"] == "ml", obj["kind"]
        assert labels["helm.sh/chart"] == f"{chart['name']}-{chart['version']}"


def test_extra_objects_go_through_the_template_engine(helm: Helm) -> None:
    maps = {obj["metadata"]["name"]: obj.get("data") for obj in of_kind(helm.render(EVERYTHING), "ConfigMap")}
    assert maps["a-map"] == {"a": "reflect-operator"}
    assert maps["a-text"] == {"version": "0.1.0"}


def test_the_network_policy(helm: Helm) -> None:
    policy = one(helm.render(EVERYTHING), "NetworkPolicy")["spec"]
    metrics, progress = policy["ingress"]
    assert metrics["from"] == EVERYTHING["networkPolicy"]["metricsFrom"]
    assert progress == {"ports": [{"port": "progress", "protocol": "TCP"}]}
    assert policy["egress"][1] == {
        "ports": [{"port": 6443, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    }
    assert policy["egress"][2:] == EVERYTHING["networkPolicy"]["extraEgress"]


def test_long_names_stay_names(helm: Helm) -> None:
    for obj in helm.render({"metrics": {"service": {"enabled": True}}}, name="r" + "x" * 52):
        name = obj["metadata"]["name"]
        assert len(name) <= 63
        assert not name.endswith("-")


def test_notes(helm: Helm) -> None:
    def notes(values: dict[str, Any]) -> str:
        words = ("install", "r", CHART, "--dry-run=client", "--namespace", "ops")
        return helm.did(*words, values=values).partition("NOTES:")[2]

    assert "looks after ReflectionTrainings of the whole cluster" in notes({})
    assert "nodes must have the images reflect-operator:0.1.0" in notes({})
    assert "nodes must have" not in notes(EVERYTHING)
    assert "of team-a, team-b." in notes({"watchNamespaces": ["team-a", "team-b"]})
    assert "WARNING: `helm uninstall` deletes" in notes({"crds": {"keep": False}})
    assert "reflect crd | kubectl apply" in notes({"crds": {"enabled": False}})
