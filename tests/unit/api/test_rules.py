"""Every CEL rule of the CRD: an object that it accepts, one that it refuses, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_api.crd import resource_schema
from reflection_api.validation import Problem, check_text, check_update

from .resources import resource
from .rule_cases import ALLOWED_CHANGES, CHANGES, CREATION, LOCAL, Case


def problems(value: dict[str, Any], *, local: bool = False) -> list[Problem]:
    return check_text(yaml.safe_dump(value).encode(), "run.yaml", local=local).problems


@pytest.mark.parametrize("case", CREATION, ids=lambda case: case.field)
def test_creation(case: Case) -> None:
    assert problems(resource(**case.fine)) == []
    (problem,) = problems(resource(**case.wrong))
    assert (problem.field, problem.message) == (case.field, case.message)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.field)
def test_changes(case: Case) -> None:
    assert check_update(resource(), resource(**case.fine)) == []
    assert problems(resource(**case.wrong)) == [], "fine at creation"
    (problem,) = check_update(resource(), resource(**case.wrong))
    message, _, changed = problem.message.partition(" (changed: ")
    assert (problem.field, message) == (case.field, case.message)
    assert " -> " in changed


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"maxSteps": 4}, {"maxSteps": 9}, "(changed: maxSteps 4 -> 9)"),
        (
            {"maxSteps": 4},
            {"maxSteps": 4, "method": {"beta": 0.1}},
            '(changed: method null -> {"beta": 0.1})',
        ),
        ({"method": {"beta": 0.1}}, {"method": {"beta": 0.2}}, "(changed: method.beta 0.1 -> 0.2)"),
        (
            {},
            {"maxSteps": 9, "seed": 2, "precision": "fp32", "learningRate": 0.1, "warmupRatio": 0.2},
            '(changed: learningRate null -> 0.1, maxSteps null -> 9, precision null -> "fp32", 2 more)',
        ),
    ],
)
def test_a_change_in_a_section_is_named(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    (problem,) = check_update(
        resource(spec__training=before), resource(spec__training=after), file="run.yaml"
    )
    assert str(problem).startswith("run.yaml: spec.training: is immutable: ")
    assert problem.message.endswith(words)


@pytest.mark.parametrize("change", ALLOWED_CHANGES, ids=lambda change: next(iter(change)))
def test_what_takes_effect_with_the_next_job_may_change(change: dict[str, Any]) -> None:
    assert check_update(resource(), resource(**change)) == []
    assert check_update(resource(**change), resource()) == []


def test_a_managed_resource_can_neither_be_taken_over_nor_let_go() -> None:
    managed = resource(spec__managedBy="kueue.x-k8s.io/multikueue")
    assert check_update(managed, managed) == []
    (taken,) = check_update(managed, resource(spec__managedBy="reflection.training/operator"))
    (let_go,) = check_update(managed, resource())
    assert taken.field == let_go.field == "spec.managedBy"


def test_only_the_rules_against_file_uris_are_relaxed_locally(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    files = {f"spec__{place}__uri": tmp_path.as_uri() for place in ("model", "storage")}
    assert [problem.field for problem in problems(resource(**files))] == [
        "spec.model.uri",
        "spec.storage.uri",
    ]
    assert problems(resource(**files), local=True) == []
    for case in CREATION:
        if LOCAL not in case.message:
            assert len(problems(resource(**case.wrong), local=True)) == 1, case.field


def test_the_tables_cover_every_rule() -> None:
    """A rule without a case here is a rule that nobody has seen refuse anything."""
    rules = 0

    def count(schema: dict[str, Any]) -> None:
        nonlocal rules
        rules += len(schema.get("x-kubernetes-validations", ()))
        for child in (
            *schema.get("properties", {}).values(),
            schema.get("items"),
            schema.get("additionalProperties"),
        ):
            if child:
                count(child)

    count(resource_schema())
    # failuresPerStep has two cases, and cases of one rule end with the same word.
    assert len({(case.field, case.message.split()[-1]) for case in CREATION}) - 1 + len(CHANGES) == rules


def test_a_rule_waits_until_the_structure_is_right() -> None:
    """A rule may rely on types: the API server does not evaluate it on a broken structure either."""
    (problem,) = problems(resource(spec__training={"failuresPerStep": "many", "gpusPerNode": 8}))
    assert problem.field == "spec.training.failuresPerStep"
    assert problem.message.startswith('"many" is text')


def test_a_broken_section_does_not_hide_the_rules_of_another() -> None:
    found = problems(
        resource(spec__rollout={"workers": 0}, spec__training={"gpusPerNode": 7, "failuresPerStep": 30})
    )
    assert [problem.field for problem in found] == ["spec.rollout.workers", "spec.training.failuresPerStep"]
