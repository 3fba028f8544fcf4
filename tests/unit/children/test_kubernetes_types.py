"""Every field that we write is one that Kubernetes knows: a misspelt one is lost on the way through its types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from kubernetes.client import ApiClient
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_operator.children.build import build
from reflection_operator.settings import OperatorSettings

from .resources import golden_resource
from .strategies import resources

TYPES = {"ConfigMap": "V1ConfigMap", "Service": "V1Service", "Job": "V1Job"}
CLIENT = ApiClient()


def through_kubernetes(child: dict[str, Any]) -> dict[str, Any]:
    """The object as the Python client reads and writes it again."""
    typed = CLIENT.deserialize(json.dumps(child), TYPES[child["kind"]], "application/json")
    return CLIENT.sanitize_for_serialization(typed)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("case", ["minimal", "everything"])
def test_golden_children_are_kubernetes_objects(case: str, stage: Stage) -> None:
    for child in build(golden_resource(case), 1, stage, 1, 0, OperatorSettings()):
        assert through_kubernetes(child) == child


@given(resources())
@settings(max_examples=25)
def test_any_children_are_kubernetes_objects(run: ReflectionTraining) -> None:
    for stage in Stage:
        for child in build(run, 1, stage, 1, 0, OperatorSettings()):
            assert through_kubernetes(child) == child


def test_a_misspelt_field_is_noticed() -> None:
    job = build(golden_resource("minimal"), 1, Stage.TRAIN, 1, 0, OperatorSettings())[-1]
    job["spec"]["template"]["spec"]["containers"][0]["imagePullPolicies"] = "Never"
    assert through_kubernetes(job) != job
