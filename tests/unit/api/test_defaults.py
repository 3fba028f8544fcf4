"""The defaults that an API server fills in are those of the types."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.crd import resource_schema
from reflection_api.resource import ReflectionTraining
from reflection_api.validation import check_text
from reflection_api.validation.defaults import admitted

from .resources import VALID, resource

SPEC = resource_schema()["properties"]["spec"]
Schema = dict[str, Any]


def numbers(schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema["minimum"], schema["maximum"]
    if schema["type"] == "integer":
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="exclusiveMinimum" in schema)


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that fit a structural schema, with any subset of the optional fields."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind in {"integer", "number"}:
        return numbers(schema)
    if kind == "boolean":
        return st.booleans()
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(
            lambda text: schema["minLength"] <= len(text) <= schema["maxLength"] and "\n" not in text
        )
    if kind == "string":
        return st.text(min_size=schema.get("minLength", 0), max_size=8)
    if kind == "array":
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=2)
    if "properties" in schema:
        fields = {name: values(child) for name, child in schema["properties"].items()}
        required = {name: fields.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=fields)
    if "additionalProperties" in schema:
        return st.dictionaries(
            st.text(min_size=1, max_size=4), values(schema["additionalProperties"]), max_size=2
        )
    return st.dictionaries(st.sampled_from(["name", "key"]), st.integers(0, 9), max_size=2)


SPECS = values(SPEC)


@settings(max_examples=150, deadline=None)
@given(SPECS)
def test_defaulting_by_the_crd_changes_nothing_for_the_types(spec: dict[str, Any]) -> None:
    written = {**VALID, "spec": spec}
    stored = admitted(resource_schema(), written)
    stored["metadata"] = VALID["metadata"]
    stored.pop("status")
    assert ReflectionTraining.model_validate(stored) == ReflectionTraining.model_validate(written)


@settings(max_examples=150, deadline=None)
@given(SPECS)
def test_what_the_crd_accepts_the_types_accept(spec: dict[str, Any]) -> None:
    """`reflect validate` builds the types from what it found valid: that must never fail."""
    spec["task"]["templates"] = {}
    checked = check_text(yaml.safe_dump({**VALID, "spec": spec}).encode(), "x", local=False)
    assert bool(checked.problems) != bool(checked.resources)


def test_sections_are_filled_in_to_the_leaves() -> None:
    stored = admitted(resource_schema(), resource(spec__training={"method": {"beta": 0.5}}))
    assert stored["spec"]["training"]["method"] == {
        "numGenerations": 8,
        "beta": 0.5,
        "lossType": "grpo",
        "rewardScaling": "group",
        "temperature": 0.9,
        "creditScope": "reflection",
        "positiveOnly": False,
        "retriesPerReflection": 1,
        "deadGroups": "keep",
    }
    assert stored["spec"]["rollout"]["sampling"]["maxTokens"] == 512


def test_what_depends_on_other_fields_stays_absent() -> None:
    stored = admitted(resource_schema(), resource())
    assert not {"precision", "generation", "processesPerNode", "microBatchSize", "lora"} & set(
        stored["spec"]["training"]
    )
    assert "templates" not in stored["spec"]["task"]
    assert "pods" not in stored["spec"]


def test_a_null_is_no_value() -> None:
    """`training:` with everything below commented out is an empty section."""
    stored = admitted(
        resource_schema(), resource(spec__training=...) | {"spec": {"training": None, "rounds": None}}
    )
    assert stored["spec"]["training"]["maxSteps"] == 1000
    assert stored["spec"]["rounds"] == 1


def test_defaults_are_not_shared_between_resources() -> None:
    first = admitted(resource_schema(), resource())
    first["spec"]["training"]["maxSteps"] = 7
    assert admitted(resource_schema(), resource())["spec"]["training"]["maxSteps"] == 1000


def test_free_form_values_are_kept_as_they_are() -> None:
    toleration = {"key": "gpu", "operator": "Exists", "tolerationSeconds": None}
    stored = admitted(resource_schema(), resource(spec__pods={"common": {"tolerations": [toleration]}}))
    assert stored["spec"]["pods"]["common"]["tolerations"] == [toleration]
