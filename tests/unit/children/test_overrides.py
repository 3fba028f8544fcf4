"""`spec.pods`: the common changes with the stage's own over them."""

from __future__ import annotations

from typing import Any

import pytest
from reflection_api.spec import PodSpecOverrides, PodsSpec
from reflection_api.stages import Stage
from reflection_operator.children.overrides import merge, merge_lists, merge_maps, overrides_for

A_VALUE_OF_EACH: dict[str, Any] = {
    "image": "a",
    "service_account_name": "a",
    "image_pull_secrets": [{"name": "a"}],
    "node_selector": {"a": "b"},
    "tolerations": [{"key": "a"}],
    "affinity": {"nodeAffinity": {}},
    "topology_spread_constraints": [{"maxSkew": 1}],
    "priority_class_name": "a",
    "runtime_class_name": "a",
    "env": [{"name": "A", "value": "b"}],
    "env_from": [{"secretRef": {"name": "a"}}],
    "resources": {"limits": {"memory": "1Gi"}},
    "volumes": [{"name": "a", "emptyDir": {}}],
    "volume_mounts": [{"name": "a", "mountPath": "/a"}],
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
}


def test_the_table_has_every_field() -> None:
    assert A_VALUE_OF_EACH.keys() == PodSpecOverrides.model_fields.keys()


@pytest.mark.parametrize("field", A_VALUE_OF_EACH)
def test_a_field_may_stand_in_either_place(field: str) -> None:
    changes, nothing = PodSpecOverrides(**{field: A_VALUE_OF_EACH[field]}), PodSpecOverrides()
    assert merge(changes, nothing) == changes
    assert merge(nothing, changes) == changes


@pytest.mark.parametrize("field", [name for name, value in A_VALUE_OF_EACH.items() if isinstance(value, str)])
def test_a_single_value_of_the_stage_wins(field: str) -> None:
    merged = merge(PodSpecOverrides(**{field: "common"}), PodSpecOverrides(**{field: "own"}))
    assert getattr(merged, field) == "own"


def test_affinity_is_replaced_as_a_whole() -> None:
    merged = merge(
        PodSpecOverrides(affinity={"nodeAffinity": {}}), PodSpecOverrides(affinity={"podAffinity": {}})
    )
    assert merged.affinity == {"podAffinity": {}}


@pytest.mark.parametrize("field", ["node_selector", "labels", "annotations"])
def test_maps_are_merged(field: str) -> None:
    merged = merge(
        PodSpecOverrides(**{field: {"a": "1", "b": "1"}}), PodSpecOverrides(**{field: {"b": "2", "c": "2"}})
    )
    assert getattr(merged, field) == {"a": "1", "b": "2", "c": "2"}


def test_resources_are_merged_to_the_single_limit() -> None:
    common = PodSpecOverrides(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}})
    own = PodSpecOverrides(resources={"limits": {"memory": "2Gi"}})
    assert merge(common, own).resources == {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "2Gi"}}


@pytest.mark.parametrize("field", ["tolerations", "topology_spread_constraints", "env_from"])
def test_lists_without_identity_follow_each_other(field: str) -> None:
    merged = merge(PodSpecOverrides(**{field: [{"key": "a"}]}), PodSpecOverrides(**{field: [{"key": "b"}]}))
    assert getattr(merged, field) == [{"key": "a"}, {"key": "b"}]


@pytest.mark.parametrize("field", ["env", "volumes", "image_pull_secrets"])
def test_lists_of_named_entries_are_merged_by_name(field: str) -> None:
    common = [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]
    own = [{"name": "a", "value": "2"}, {"name": "c", "value": "2"}]
    merged = merge(PodSpecOverrides(**{field: common}), PodSpecOverrides(**{field: own}))
    assert getattr(merged, field) == [
        {"name": "a", "value": "2"},
        {"name": "b", "value": "1"},
        {"name": "c", "value": "2"},
    ]


def test_mounts_are_merged_by_path() -> None:
    common = PodSpecOverrides(
        volume_mounts=[{"name": "slow", "mountPath": "/data"}, {"name": "slow", "mountPath": "/more"}]
    )
    own = PodSpecOverrides(volume_mounts=[{"name": "fast", "mountPath": "/data"}])
    assert merge(common, own).volume_mounts == [
        {"name": "fast", "mountPath": "/data"},
        {"name": "slow", "mountPath": "/more"},
    ]


def test_entries_that_kubernetes_will_refuse_are_left_for_it_to_name() -> None:
    assert merge_lists([{"value": "1"}, {"name": ["a"]}], [{"value": "2"}]) == [
        {"value": "1"}, {"name": ["a"]}, {"value": "2"},
    ]  # fmt: skip
    assert merge_maps({"limits": "all"}, {"limits": {"cpu": "1"}}) == {"limits": {"cpu": "1"}}
    assert merge_maps({"limits": {"cpu": "1"}}, None) == {"limits": {"cpu": "1"}}


def test_two_full_lists_are_not_too_long() -> None:
    common = PodSpecOverrides(env=[{"name": f"A{number}"} for number in range(128)])
    own = PodSpecOverrides(env=[{"name": f"B{number}"} for number in range(128)])
    assert len(merge(common, own).env) == 256


@pytest.mark.parametrize(
    ("key", "stages"),
    [
        ("rollout", (Stage.ROLLOUT,)),
        ("verifier", (Stage.VERIFY,)),
        ("training", (Stage.TRAIN,)),
        ("evaluation", (Stage.EVALUATE,)),
        ("report", (Stage.REPORT, Stage.CLEANUP)),
    ],
)
def test_each_stage_has_a_key(key: str, stages: tuple[Stage, ...]) -> None:
    pods = PodsSpec.model_validate({"common": {"image": "common"}, key: {"image": "own"}})
    assert {other: overrides_for(pods, other).image for other in Stage} == {
        other: "own" if other in stages else "common" for other in Stage
    }
