"""`--set` and relative URIs."""

from __future__ import annotations

import pytest
from reflection_operator.local.overrides import BadOverride, apply_overrides, resolve_relative_uris


def test_values_are_yaml_and_missing_sections_are_made():
    resource = {"spec": {"model": {"uri": "hf://a/b"}}}
    apply_overrides(
        resource,
        ["spec.training.maxSteps=20", "spec.suspend=true", "spec.model.uri=file:///m", "spec.rounds=2"],
    )
    assert resource["spec"] == {
        "model": {"uri": "file:///m"},
        "training": {"maxSteps": 20},
        "suspend": True,
        "rounds": 2,
    }


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("spec.rounds", "expected a field's path"),
        ("training.maxSteps=1", "expected a field's path"),
        ("spec..x=1", "expected a field's path"),
        ("spec.rounds={", "not YAML"),
        ("spec.model.uri.x=1", "spec.model.uri is 'hf://a/b', which has no fields"),
    ],
)
def test_a_wrong_override_is_quoted_with_what_is_wrong(override, named):
    with pytest.raises(BadOverride) as error:
        apply_overrides({"spec": {"model": {"uri": "hf://a/b"}}}, [override])
    assert f"--set {override}" in str(error.value)
    assert named in str(error.value)


def test_relative_uris_are_those_beside_the_file(tmp_path):
    resource = {
        "spec": {
            "model": {"uri": "file://./model"},
            "task": {"prompts": {"uri": "file://./p q.jsonl"}},
            "evaluation": {"prompts": {"uri": "s3://b/e.jsonl"}},
            "storage": {"uri": "file:///absolute"},
        }
    }
    resolve_relative_uris(resource, tmp_path)
    assert resource["spec"]["model"]["uri"] == f"file://{tmp_path}/model"
    assert resource["spec"]["task"]["prompts"]["uri"] == f"file://{tmp_path}/p%20q.jsonl"
    assert resource["spec"]["evaluation"]["prompts"]["uri"] == "s3://b/e.jsonl"
    assert resource["spec"]["storage"]["uri"] == "file:///absolute"


@pytest.mark.parametrize("resource", [{}, {"spec": None}, {"spec": {"model": "x", "task": []}}])
def test_whatever_is_not_a_resource_is_left_to_validation(resource, tmp_path):
    resolve_relative_uris(resource, tmp_path)
