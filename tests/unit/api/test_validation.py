"""Every kind of mistake gets one line with file, line, field, value and remedy."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from reflection_api.crd import custom_resource_definition
from reflection_api.resource import ReflectionTraining
from reflection_api.validation import Checked, check_text, dotted, refusals

from .resources import resource
from .wrong_values import wrong_values

GOOD = """\
apiVersion: reflection.training/v1alpha1
kind: ReflectionTraining
metadata: {name: countdown}
spec:
  model: {uri: hf://org/name}
  task:
    prompts: {uri: s3://team/train.jsonl}
    verifier: {builtin: {name: countdown}}
  storage: {uri: s3://team/runs}
"""


def check(text: str, **options: Any) -> Checked:
    return check_text(text.encode(), "run.yaml", **{"local": False, **options})


def lines(value: dict[str, Any]) -> list[str]:
    """The problems of a resource without the place, which depends on how it was written."""
    problems = check(yaml.safe_dump(value)).problems
    return [f"{problem.field}: {problem.message}" for problem in problems]


def test_a_valid_file_gives_the_resource_with_its_defaults() -> None:
    checked = check(GOOD)
    assert checked.problems == []
    assert checked.notes == []
    (found,) = checked.resources
    assert found == ReflectionTraining.model_validate(yaml.safe_load(GOOD))


def test_the_line_is_that_of_the_field() -> None:
    (problem,) = check(GOOD + "  rollout:\n    # a comment\n    workers: 0\n").problems
    assert str(problem) == (
        "run.yaml:12: spec.rollout.workers: 0 is too small; expected a whole number from 1 to 1024"
    )


MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"spec__rollout": {"worker": 4}},
        "spec.rollout.worker: unknown field; did you mean spec.rollout.workers?",
    ),
    (
        {"spec__training": {"num_generations": 4}},
        "spec.training.num_generations: unknown field; did you mean spec.training.method.numGenerations?",
    ),
    (
        {"spec__training": {"beta": 4}},
        "spec.training.beta: unknown field; did you mean spec.training.method.beta?",
    ),
    (
        {"spec__task__failures": {"zzz": 1}},
        "spec.task.failures.zzz: unknown field; known here: deduplicate",
    ),
    (
        {"spec__managedBy": "kueue.x-k8s.io/multikeue"},
        'spec.managedBy: "kueue.x-k8s.io/multikeue" is not known; did you mean kueue.x-k8s.io/multikueue?',
    ),
    (
        {"spec__rollout": {"workers": "4"}},
        'spec.rollout.workers: "4" is text; expected a whole number from 1 to 1024',
    ),
    (
        {"spec__rollout": {"workers": 1.5}},
        "spec.rollout.workers: 1.5 is a number; expected a whole number from 1 to 1024",
    ),
    (
        {"spec__rollout": {"workers": True}},
        "spec.rollout.workers: true is a boolean; expected a whole number from 1 to 1024",
    ),
    ({"spec__rollout": 5}, "spec.rollout: 5 is a whole number; expected a map of fields"),
    ({"spec__suspend": "yes"}, 'spec.suspend: "yes" is text; expected true or false'),
    (
        {"spec__pods": {"common": {"env": [None]}}},
        "spec.pods.common.env[0]: null is nothing; expected a map of fields",
    ),
    (
        {"spec__pods": {"common": {"labels": {"a.b/c": 1}}}},
        'spec.pods.common.labels["a.b/c"]: 1 is a whole number; expected text',
    ),
    (
        {"spec__task__verifier": {"builtin": {"name": "countdwn"}}},
        'spec.task.verifier.builtin.name: "countdwn" is not known; did you mean countdown?',
    ),
    (
        {"spec__rollout": {"engine": "sglang"}},
        'spec.rollout.engine: "sglang" is not known; known are vllm, transformers',
    ),
    (
        {"spec__training": {"method": {"numGenerations": 1}}},
        "spec.training.method.numGenerations: 1 is too small; expected a whole number from 2 to 64",
    ),
    (
        {"spec__training": {"learningRate": 0}},
        "spec.training.learningRate: 0 is too small; expected a number above 0 and up to 1",
    ),
    ({"spec__rounds": 11}, "spec.rounds: 11 is too large; expected a whole number from 1 to 10"),
    (
        {"spec__model__uri": "gs://bucket/model"},
        'spec.model.uri: "gs://bucket/model" does not fit; expected hf://org/name, s3://bucket/prefix, pvc://claim/path '
        "or file:///folder",
    ),
    (
        {"spec__model__uri": "s3://bucket/prefix\n"},
        'spec.model.uri: "s3://bucket/prefix\\n" does not fit; expected hf://org/name, s3://bucket/prefix, '
        "pvc://claim/path or file:///folder",
    ),
    (
        {"spec__task__prompts__uri": "s3://team/train.csv"},
        'spec.task.prompts.uri: "s3://team/train.csv" does not fit; expected hf://datasets/org/name/file, '
        "s3://bucket/key, pvc://claim/file or file:///file, ending in .jsonl or .parquet",
    ),
    (
        {"spec__model__credentialsSecret": "My_Secret"},
        'spec.model.credentialsSecret: "My_Secret" does not fit; expected the name of an object: lower-case letters, '
        "digits, dashes and dots",
    ),
    (
        {"spec__task__templates": {"retry": ""}},
        "spec.task.templates.retry: is empty; give a value or remove the field",
    ),
    (
        {"spec__task__templates": {"retry": "a" * 16_385}},
        "spec.task.templates.retry: has 16385 characters; give at most 16384",
    ),
    (
        {"spec__pods": {"common": {"volumes": [{"name": "a"}] * 33}}},
        "spec.pods.common.volumes: has 33 entries; give at most 32",
    ),
    (
        {"spec__storage": None},
        "spec.storage: is required: Where datasets, checkpoints, models and reports are kept; give at least its uri",
    ),
    (
        {"spec__storage__uri": None},
        "spec.storage.uri: is required: s3://bucket/prefix or file:///folder. Prefix that all artefacts of the run are "
        "written under: s3://bucket/prefix, or file:///folder for `reflect run`",
    ),
    (
        {"spec": None},
        "spec: is required: What to train, on which task, how, and where the results go; give at least its model, task, "
        "storage",
    ),
    (
        {"metadata__name": "My.Run"},
        'metadata.name: "My.Run" does not fit; expected lower-case letters, digits and dashes, starting with a letter',
    ),
    ({"metadata__name": "a" * 64}, "metadata.name: has 64 characters; give at most 63"),
    ({"metadata__label": {}}, "metadata.label: unknown field; did you mean metadata.labels?"),
    ({"metadata__labels": {"a": True}}, "metadata.labels.a: true is a boolean; expected text"),
    (
        {"spec__task__templates": {"retry": "{{ qestion }}"}},
        'spec.task.templates.retry: unknown variable "qestion"; did you mean question?',
    ),
    (
        {"spec__task__templates": {"system": "{{ answer }}"}},
        'spec.task.templates.system: unknown variable "answer"; known are question, row; columns of the prompts file are '
        "row.<column>, for example row.answer",
    ),
    (
        {"spec__task__templates": {"reflection": "one\n{% if %}"}},
        "spec.task.templates.reflection: line 2: Expected an expression, got 'end of statement block'; correct the template",
    ),
]


@pytest.mark.parametrize(("change", "line"), MISTAKES, ids=[line[:50] for _, line in MISTAKES])
def test_mistakes(change: dict[str, Any], line: str) -> None:
    assert lines(resource(**change)) == [line]


def test_all_mistakes_of_a_file_are_named_in_its_order() -> None:
    text = (
        GOOD.replace("countdown}}", "countdwn}}").replace("s3://team/runs", "runs")
        + "  rounds: 0\n  suspnd: true\n"
    )
    found = check(text).problems
    assert [(problem.line, problem.field) for problem in found] == [
        (8, "spec.task.verifier.builtin.name"),
        (9, "spec.storage.uri"),
        (10, "spec.rounds"),
        (11, "spec.suspnd"),
    ]


def test_other_kinds_are_left_out_with_a_note() -> None:
    checked = check("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\n" + GOOD)
    assert len(checked.resources) == 1
    assert checked.notes == ["run.yaml:1: ConfigMap is not checked"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("foo", 'run.yaml:1: "foo" is no resource; write apiVersion, kind, metadata and spec'),
        ("- a", 'run.yaml:1: ["a"] is no resource; write apiVersion, kind, metadata and spec'),
        (
            "spec: {}",
            "run.yaml:1: kind: is required; for a training reflection.training/v1alpha1 and ReflectionTraining",
        ),
        (
            "kind: ReflectionTraining",
            "run.yaml:1: apiVersion: is required; for a training reflection.training/v1alpha1 and ReflectionTraining",
        ),
        (
            "apiVersion: reflection.training/v1\nkind: ReflectionTraining",
            'run.yaml:1: apiVersion: "reflection.training/v1" is not known; use reflection.training/v1alpha1',
        ),
        (
            "apiVersion: reflection.training/v1alpha1\nkind: Reflection",
            'run.yaml:2: kind: "Reflection" is not known; did you mean ReflectionTraining?',
        ),
        (
            "apiVersion: v1\nkind: reflectiontraning",
            'run.yaml:2: kind: "reflectiontraning" is not known; did you mean ReflectionTraining?',
        ),
    ],
)
def test_what_is_meant_to_be_a_training_but_is_not(text: str, line: str) -> None:
    checked = check(text)
    assert [str(problem) for problem in checked.problems] == [line]
    assert checked.notes == []


def test_what_a_cluster_printed_can_be_checked_again() -> None:
    """`kubectl get -o yaml` adds metadata and a status, which an API server ignores."""
    printed = resource(
        metadata__uid="1a2b", metadata__resourceVersion="7", metadata__generation=2,
        metadata__creationTimestamp="2026-11-23T00:00:00Z", metadata__managedFields=[{"manager": "kubectl"}],
        status={"phase": "Training", "fromANewerVersion": 1},
    )  # fmt: skip
    (found,) = check(yaml.safe_dump(printed)).resources
    assert found.status is None
    assert found.metadata.name == "countdown"


def test_each_bound_of_the_schema_is_checked_before_a_cluster_does_it() -> None:
    """The API server says the same fields (tests/integration/operator/test_api.py)."""
    wrong = list(wrong_values(custom_resource_definition()))
    assert len(wrong) > 500
    unsaid = [
        f"{each.field}: {each.bound}"
        for each in wrong
        if each.field not in {dotted(found.path) for found in refusals(each.resource, local=False)}
    ]
    assert unsaid == []
