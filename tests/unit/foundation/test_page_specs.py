"""What pages show as YAML: the command line and Kubernetes' own types find nothing wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient
from reflection_api.resource import KIND, ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.validation import check_text
from reflection_operator.children.build import build
from reflection_operator.settings import OperatorSettings

from ...support.pages import fences
from ..api.resources import resource
from ..children.pod_security import violations

ROOT = Path(__file__).parents[3]
PAGES = (
    "docs/evaluation.md",
    "docs/gpus.md",
    "docs/on-a-cluster.md",
    "docs/storage.md",
    "docs/training.md",
)
WITH_OBJECTS = ("docs/on-a-cluster.md", "docs/security.md", "docs/storage.md")
"""Pages that show objects of Kubernetes."""
TYPES = {
    "NetworkPolicy": "V1NetworkPolicy",
    "Namespace": "V1Namespace",
    "Role": "V1Role",
    "Secret": "V1Secret",
    "ServiceAccount": "V1ServiceAccount",
}
UNTYPED = {"stringData"}
"""Of a Secret: what the API server turns into its data is written, and never read."""
CLIENT = ApiClient()


def shown(page: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(fence.text) for fence in fences(ROOT / page) if fence.language == "yaml"]


def shown_of_runs(page: str) -> list[dict[str, Any]]:
    """The resources of a page and parts of them, but no objects of Kubernetes."""
    return [part for part in shown(page) if part.get("kind", KIND) == KIND]


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        name: laid_over(below[name], value)
        if isinstance(value, dict) and isinstance(below.get(name), dict)
        else value
        for name, value in above.items()
    }
    return below | both


def whole(part: dict[str, Any]) -> dict[str, Any]:
    """A resource: as it stands where it is one, else laid over a small one."""
    return part if "kind" in part else laid_over(resource(), part)


def as_kubernetes_reads_it(value: dict[str, Any], kind: str) -> Any:
    """Through its types and back: a field that it does not know is lost on the way, a value of another type an error."""
    return CLIENT.sanitize_for_serialization(CLIENT.deserialize(json.dumps(value), kind, "application/json"))


def jobs(part: dict[str, Any]) -> Iterator[tuple[Stage, dict[str, Any]]]:
    """Of every stage."""
    made = ReflectionTraining.model_validate(whole(part))
    for stage in Stage:
        *_, job = build(made, 1, stage, 1, 0, OperatorSettings())
        assert as_kubernetes_reads_it(job, "V1Job") == job
        yield stage, job


def templates(part: dict[str, Any]) -> Iterator[tuple[Stage, dict[str, Any]]]:
    """Of the pods of every stage."""
    for stage, job in jobs(part):
        yield stage, job["spec"]["template"]


def of_name(name: str, value: Any) -> Iterator[Any]:
    """What stands under this name, however deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and name in value:
        yield value[name]
    for each in inner:
        yield from of_name(name, each)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_of_a_spec_is_right(page: str) -> None:
    parts = shown_of_runs(page)
    assert parts
    for part in parts:
        checked = check_text(yaml.safe_dump(whole(part)).encode(), page, local=False)
        assert checked.problems == []
        assert len(checked.resources) == 1


@pytest.mark.parametrize("page", PAGES)
def test_its_pods_are_kubernetes_objects_and_satisfy_the_restricted_standard(page: str) -> None:
    for part in shown_of_runs(page):
        assert [found for _, template in templates(part) for found in violations(template["spec"])] == []


@pytest.mark.parametrize("page", PAGES)
def test_pods_that_are_to_keep_together_or_apart_are_found_by_their_labels(page: str) -> None:
    for part in shown_of_runs(page):
        for _, template in templates(part):
            labels = template["metadata"]["labels"]
            for selected in of_name("matchLabels", template["spec"]):
                assert selected.items() <= labels.items()
            for keys in of_name("matchLabelKeys", template["spec"]):
                assert set(keys) <= labels.keys()


def test_the_policy_lets_only_trainings_into_the_pods_of_a_run() -> None:
    (policy,) = (found for found in shown("docs/security.md") if found["kind"] == "NetworkPolicy")
    (peer,) = (peer for rule in policy["spec"]["ingress"] for peer in rule["from"])
    for stage, template in templates({}):
        labels = template["metadata"]["labels"].items()
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        assert (peer["podSelector"]["matchLabels"].items() <= labels) == (stage is Stage.TRAIN)


def test_the_labels_for_a_queue_reach_the_jobs_and_no_pod() -> None:
    (part,) = shown_of_runs("docs/on-a-cluster.md")
    labels = part["metadata"]["labels"].items()
    assert labels
    for stage, job in jobs(part):
        # Nobody waits for a quota to delete something.
        assert (labels <= job["metadata"]["labels"].items()) is (stage is not Stage.CLEANUP)
        assert not labels & job["spec"]["template"]["metadata"]["labels"].items()


def test_pods_with_workload_identity_have_the_service_account_of_the_page_and_no_keys() -> None:
    (account,) = (found for found in shown("docs/storage.md") if found.get("kind") == "ServiceAccount")
    parts = [part for part in shown_of_runs("docs/storage.md") if "pods" in part["spec"]]
    assert len(parts) == 2
    for part in parts:
        assert "credentialsSecret" not in part["spec"]["storage"]
        for _, template in templates(part):
            assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
            assert list(of_name("secret", template["spec"])) == []


@pytest.mark.parametrize("page", WITH_OBJECTS)
def test_objects_that_a_page_shows_are_of_their_types(page: str) -> None:
    objects = [part for part in shown(page) if part.get("kind", KIND) != KIND]
    assert objects
    for found in objects:
        typed = {name: value for name, value in found.items() if name not in UNTYPED}
        assert as_kubernetes_reads_it(typed, TYPES[found["kind"]]) == typed


@pytest.mark.parametrize(
    "part",
    [
        {"spec": {"training": {"gpusPerNodes": 8}}},
        {"spec": {"pods": {"training": {"env": [{"name": "A", "val": "1"}]}}}},
        {"spec": {"pods": {"training": {"affinity": {"podAffinities": {}}}}}},
        {"spec": {"pods": {"training": {"env": [{"name": "A", "value": 1}]}}}},
    ],
    ids=["field", "variable", "affinity", "number"],
)
def test_what_is_wrong_is_noticed(part: dict[str, Any]) -> None:
    checked = check_text(yaml.safe_dump(whole(part)).encode(), "page", local=False)
    if not checked.problems:
        with pytest.raises((AssertionError, ValueError)):
            list(templates(part))
