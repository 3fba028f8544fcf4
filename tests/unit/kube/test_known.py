"""Reading a resource: of another version, edited by hand, or in order."""

from __future__ import annotations

import pytest
from reflection_operator.kube.known import read_run

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


def test_a_spec_that_is_not_understood_is_named() -> None:
    obj = run()
    obj["spec"]["rounds"] = "many"
    found = read_run(obj)
    assert found is not None
    assert found.resource is None
    assert found.problem == 'spec.rounds: "many" is text; expected a whole number from 1 to 10'


UNSHARED = {"failuresPerStep": 7, "nodes": 2}


def test_a_rule_that_the_api_server_does_not_know_holds_all_the_same() -> None:
    obj = run()
    obj["spec"]["training"] = UNSHARED
    found = read_run(obj)
    assert found is not None
    assert found.resource is None
    assert found.problem.startswith("spec.training.failuresPerStep: 7 cannot be shared by 2 processes")


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
