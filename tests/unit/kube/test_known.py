"""Reading a resource: of another version, edited by hand, or in order."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from reflection_api.resource import ReflectionTraining
from reflection_operator.kube.kinds import RUNS
from reflection_operator.kube.known import Identity, Known, identity_of, pack_run, read, read_run, unpacked

from .objects import run


def test_a_resource_in_order() -> None:
    found = read_run(run())
    assert found is not None
    assert found.resource is not None
    assert (found.metadata.name, found.problem) == ("countdown", "")


def test_fields_of_a_newer_version_are_left_alone() -> None:
    """The CRD is upgraded before the operator: what it fills in must not stop what runs."""
    obj = run(status={"observedGeneration": 1, "novelty": {"a": 1}})
    obj["spec"]["novelty"] = {"x": 1}
    obj["spec"]["model"]["quantum"] = True
    found = read_run(obj)
    assert found is not None
    assert found.resource is not None
    assert found.status is not None
    assert found.status.observed_generation == 1
    assert obj["spec"]["novelty"] == {"x": 1}, "the object is not ours to change"


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        (90, ""),
        (101, "spec.pods.common.affinity: nested deeper than 100 levels; no resource needs this"),
        (900, "spec.pods.common.affinity: nested deeper than 100 levels; no resource needs this"),
    ],
)
def test_a_spec_that_is_nested_without_end_is_named(levels: int, problem: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(levels):
        deep = {"a": deep}
    obj = run()
    obj["spec"]["pods"] = {"common": {"affinity": deep}}
    found = read_run(obj)
    assert found is not None
    assert found.problem == problem


def test_a_spec_that_is_as_wide_as_it_may_be_deep_costs_no_memory_for_its_paths() -> None:
    wide: Any = [0] * 200_000
    for _ in range(90):
        wide = {"a": wide}
    obj = run()
    obj["spec"]["pods"] = {"common": {"affinity": wide}}
    tracemalloc.start()
    try:
        assert read_run(obj) is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6


def test_a_spec_that_is_not_understood_is_named() -> None:
    obj = run()
    obj["spec"]["rounds"] = "many"
    found = read_run(obj)
    assert found is not None
    assert found.resource is None
    assert found.problem == 'spec.rounds: "many" is text; expected a whole number from 1 to 10'


UNSHARED = {"failuresPerStep": 7, "nodes": 3}


def test_a_rule_that_the_api_server_does_not_know_holds_all_the_same() -> None:
    obj = run()
    obj["spec"]["training"] = UNSHARED
    found = read_run(obj)
    assert found is not None
    assert found.resource is None
    assert found.problem.startswith(
        "spec.training.failuresPerStep: 7 x numGenerations 8 cannot be shared equally by 3 processes"
    )


@pytest.mark.parametrize(
    ("reason", "seen", "understood"),
    [("Progressing", 1, True), ("InvalidSpec", 1, False), ("Progressing", 0, False)],
)
def test_a_newer_rule_does_not_stop_what_has_begun(reason: str, seen: int, understood: bool) -> None:
    stalled = {
        "type": "Stalled",
        "status": "True",
        "reason": reason,
        "message": "x",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    obj = run(status={"observedGeneration": seen, "conditions": [stalled]})
    obj["spec"]["training"] = UNSHARED
    found = read_run(obj)
    assert found is not None
    assert found.status is not None
    assert (found.resource is not None) is understood


def test_a_status_that_was_edited_into_nonsense_counts_as_lost() -> None:
    found = read_run(run(status={"current": {"stage": "dance"}, "restarts": -3}))
    assert found is not None
    assert found.resource is not None
    assert found.status is None
    assert found.resource.status is None


def kept(obj: dict[str, Any]) -> Known[Any]:
    identity = identity_of(RUNS, obj)
    assert identity is not None
    return Known(*identity, read(RUNS, obj))


@pytest.mark.parametrize("status", [None, {"phase": "Training", "observedGeneration": 1}, {"restarts": -3}])
def test_what_is_kept_is_read_as_it_came(status: dict[str, Any] | None) -> None:
    obj = run(7, status=status)
    obj["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
    found = kept(obj)
    assert unpacked(found).value == read_run(obj)
    assert Identity(*(getattr(unpacked(found), name) for name in Identity._fields)) == identity_of(RUNS, obj)
    assert found.value.phase == (status or {}).get("phase", "")
    assert b"kubectl" not in found.value.text


def test_a_resource_without_sensible_metadata_is_not_kept() -> None:
    assert pack_run(run() | {"metadata": {"name": 3}}) is None


def test_a_run_that_waits_takes_little_memory() -> None:
    """A thousand of them are to fit into a small pod: read, one took 28 kB."""
    spec = ReflectionTraining.model_validate(run()).model_dump(by_alias=True, mode="json", exclude_none=True)[
        "spec"
    ]
    text = json.dumps(run() | {"spec": spec})
    tracemalloc.start()
    try:
        runs = [read(RUNS, json.loads(text)) for _ in range(50)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(runs) == 50
    assert taken / len(runs) < 8_000
