"""The CRD on a real API server: what it accepts, refuses, fills in and drops, and how it explains itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from reflection_api.crd import resource_schema
from reflection_api.validation.defaults import admitted

from ...support.cluster import RUNS, Cluster, Obj
from ...support.crd import CRD
from ...unit.api.resources import resource
from ...unit.api.rule_cases import ALLOWED_CHANGES, CHANGES, CREATION, Case
from ...unit.api.wrong_values import wrong_values
from .conftest import Run

WRONG = list(wrong_values(yaml.safe_load(CRD.read_text())))
HALF_FILLED: dict[str, dict[str, Any]] = {
    "empty sections": {"training": {}, "rollout": {"sampling": {}}, "evaluation": {}, "pods": {"common": {}}},
    "some fields": {"training": {"method": {"beta": 0.5}, "lora": {"rank": 8}}, "failurePolicy": {}},
    "nulls": {
        "training": {
            "maxSteps": None,
            "method": {"beta": None, "lossType": None},
            "lora": None,
            "unknown": None,
        },
        "rollout": None,
        "suspend": None,
        "failurePolicy": {"maxRestarts": None},
    },
    "nulls in lists and maps": {
        "pods": {
            "common": {"env": [{"name": "A", "value": None}], "nodeSelector": {"a": "b"}, "volumes": None}
        }
    },
}
"""Parts of a spec."""
_CLIENT_SIDE_APPLY_BYTES = 200_000


def causes(answer: Obj) -> list[tuple[str, str]]:
    """Field and message of each problem in a refusal."""
    assert answer["kind"] == "Status", answer
    assert answer["code"] == 422, answer
    return [(cause["field"], cause["message"]) for cause in answer["details"]["causes"]]


def collection(namespace: str) -> str:
    return f"{RUNS}/namespaces/{namespace}/reflectiontrainings"


def without_value(message: str) -> str:
    """`reflect validate` shows the value before the rule's own words; the API server shows `Invalid value` and its type."""
    try:
        _, end = json.JSONDecoder().raw_decode(message)
    except ValueError:
        return message
    return message[end:].lstrip()


@pytest.mark.parametrize("case", CREATION, ids=lambda case: case.field)
def test_a_rule_accepts_and_refuses(cluster: Cluster, namespace: str, case: Case) -> None:
    fine = cluster.try_to_create(collection(namespace), resource(**case.fine), dryRun="All")
    assert fine["kind"] == "ReflectionTraining", fine
    assert fine["spec"] == admitted(resource_schema(), resource(**case.fine))["spec"]
    (problem,) = causes(cluster.try_to_create(collection(namespace), resource(**case.wrong), dryRun="All"))
    field, message = problem
    assert field == case.field
    assert message.startswith("Invalid value: ")
    assert message.endswith(without_value(case.message))


@pytest.mark.parametrize("bound", sorted({wrong.bound for wrong in WRONG}))
def test_each_bound_of_the_schema_is_kept(cluster: Cluster, bound: str) -> None:
    """One request for each bound of each field; the refusal names the field, and the bound or the type that it should have."""
    let_pass = []
    for wrong in (wrong for wrong in WRONG if wrong.bound == bound):
        answer = cluster.try_to_create(collection("default"), wrong.resource, dryRun="All")
        said = causes(answer) if answer["kind"] == "Status" else []
        if not any(field == wrong.field and wrong.words in message for field, message in said):
            let_pass.append((wrong.field, wrong.words, said))
    assert let_pass == []


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.field)
def test_an_immutable_field_cannot_be_changed(cluster: Cluster, run: Run, case: Case) -> None:
    run.apply()
    changed = {"spec": resource(**case.wrong)["spec"]}
    (problem,) = causes(cluster.try_to_patch(run.path, changed))
    assert problem[0] == case.field
    assert "is immutable: create a new ReflectionTraining with the changed value" in problem[1]


@pytest.mark.parametrize("change", ALLOWED_CHANGES, ids=lambda change: next(iter(change)))
def test_what_takes_effect_later_may_be_changed(cluster: Cluster, run: Run, change: dict[str, Any]) -> None:
    run.apply()
    value = resource(**change)
    answer = cluster.try_to_patch(run.path, {"metadata": value["metadata"], "spec": value["spec"]})
    assert answer["kind"] == "ReflectionTraining", answer


def test_defaults_are_filled_in_and_unknown_fields_dropped(cluster: Cluster, namespace: str) -> None:
    obj = resource(spec__rollout__worker=3)
    stored = cluster.create(collection(namespace), obj)
    assert stored["spec"] == admitted(resource_schema(), obj)["spec"]
    assert stored["spec"]["training"]["maxSteps"] == 1000
    assert stored["spec"]["rollout"] | {"workers": 1, "attemptsPerPrompt": 8} == stored["spec"]["rollout"]
    assert "worker" not in stored["spec"]["rollout"]
    # Without it a tool that waits for readiness would take a resource for ready that nobody has looked at.
    assert stored["status"]["observedGeneration"] == -1


@pytest.mark.parametrize("parts", HALF_FILLED)
def test_what_is_stored_is_what_reflect_validate_takes_for_it(
    cluster: Cluster, namespace: str, parts: str
) -> None:
    obj = resource()
    obj["spec"] |= HALF_FILLED[parts]
    stored = cluster.create(collection(namespace), obj, dryRun="All")
    assert stored["spec"] == admitted(resource_schema(), obj)["spec"]


def test_kubectl_names_an_unknown_field(cluster: Cluster, namespace: str) -> None:
    text = "apiVersion: reflection.training/v1alpha1\nkind: ReflectionTraining\nmetadata: {name: a}\nspec: {rollouts: {}}\n"
    refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)
    assert refused.returncode == 1
    assert 'unknown field "spec.rollouts"' in refused.stderr


def test_status_is_written_apart_from_the_rest(cluster: Cluster, run: Run) -> None:
    run.apply()
    before = run.get()
    cluster.patch(run.path, {"status": {"phase": "Succeeded"}})
    assert "phase" not in run.status
    cluster.patch(f"{run.path}/status", {"status": {"restarts": 3}, "spec": {"suspend": True}})
    assert run.status["restarts"] == 3
    assert run.get()["spec"] == before["spec"]
    assert run.get()["metadata"]["generation"] == 1


def test_every_field_is_explained(cluster: Cluster) -> None:
    for field in (
        "spec.training.method.beta",
        "spec.pods.common.env",
        "status.conditions.reason",
        "spec.suspend",
    ):
        explained = cluster.kubectl("explain", f"reflectiontraining.{field}")
        assert explained.returncode == 0, explained.stderr
        _, _, description = explained.stdout.partition("DESCRIPTION:\n")
        assert len(description.strip()) > 10, explained.stdout
        assert "<empty>" not in description


def test_the_crd_can_be_applied_as_people_do_it(cluster: Cluster) -> None:
    """Client-side apply keeps a copy in an annotation, which is limited."""
    assert CRD.stat().st_size < _CLIENT_SIDE_APPLY_BYTES
    applied = cluster.kubectl("apply", "-f", CRD)
    assert applied.returncode == 0, applied.stderr


def test_short_name_and_category(cluster: Cluster, run: Run) -> None:
    run.apply()
    for name in ("rt", "ml"):
        listed = cluster.kubectl("get", "-n", run.namespace, name, "-o", "name")
        assert listed.stdout.split() == ["reflectiontraining.reflection.training/countdown"]
