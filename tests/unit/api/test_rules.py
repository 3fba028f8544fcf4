"""Every CEL rule of the CRD: an object that it accepts, one that it refuses, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from reflection_api.crd import resource_schema
from reflection_api.validation import Problem, check_text, check_update

from .resources import resource

LOCAL = "lies on one machine: file:// is for `reflect run` only; on a cluster use"
IMMUTABLE = "is immutable: create a new ReflectionTraining with the changed value"
HELD_OUT = {"uri": "s3://team/heldout.parquet"}


class Case(NamedTuple):
    """A field of two resources; the rule lets the first pass and names what is wrong with the second."""

    fine: dict[str, Any]
    wrong: dict[str, Any]
    field: str
    message: str


VERIFIER_OPTIONS: list[tuple[str, str, Any]] = [
    ("ignoreCase", "exact", True),
    ("strip", "exact", False),
    ("ordered", "function_call", True),
    ("coerceNumbers", "function_call", False),
    ("acceptAny", "function_call", True),
    ("tests", "code", "assert f() == 1"),
    ("cpuSeconds", "code", 2),
    ("memoryMegabytes", "code", 512),
    ("dataset", "reasoning_gym", "countdown"),
    ("pattern", "regex", "a+"),
    ("search", "regex", True),
    ("schema", "json_schema", "{}"),
]
"""Option, the verifier that knows it, a value."""


def option_case(option: str, verifier: str, value: Any) -> Case:
    return Case(
        {"spec__task__verifier__builtin": {"name": verifier, "options": {option: value}}},
        {"spec__task__verifier__builtin": {"name": "countdown", "options": {option: value}}},
        f"spec.task.verifier.builtin.options.{option}",
        f"{json.dumps(value)} is for {verifier} only; remove it",
    )


CREATION = [
    Case(
        {"spec__model__uri": "pvc://models/qwen"},
        {"spec__model__uri": "file:///models/qwen"},
        "spec.model.uri",
        f'"file:///models/qwen" {LOCAL} hf://, s3:// or pvc://',
    ),
    Case(
        {"spec__model__revision": "main"},
        {"spec__model__uri": "s3://models/qwen", "spec__model__revision": "main"},
        "spec.model.revision",
        '"main" is a revision, which only hf:// models have; remove it',
    ),
    Case(
        {"spec__evaluation__compareModel": {"uri": "pvc://models/larger"}},
        {"spec__evaluation__compareModel": {"uri": "file:///models/larger"}},
        "spec.evaluation.compareModel.uri",
        f'"file:///models/larger" {LOCAL} hf://, s3:// or pvc://',
    ),
    Case(
        {"spec__evaluation__compareModel": {"uri": "hf://org/larger", "revision": "main"}},
        {"spec__evaluation__compareModel": {"uri": "s3://models/larger", "revision": "main"}},
        "spec.evaluation.compareModel.revision",
        '"main" is a revision, which only hf:// models have; remove it',
    ),
    Case(
        {"spec__task__prompts__uri": "hf://datasets/org/name/train.jsonl"},
        {"spec__task__prompts__uri": "file:///train.jsonl"},
        "spec.task.prompts.uri",
        f'"file:///train.jsonl" {LOCAL} hf://, s3:// or pvc://',
    ),
    Case(
        {"spec__evaluation__prompts": HELD_OUT},
        {"spec__evaluation__prompts": {"uri": "file:///heldout.parquet"}},
        "spec.evaluation.prompts.uri",
        f'"file:///heldout.parquet" {LOCAL} hf://, s3:// or pvc://',
    ),
    Case(
        {"spec__storage__uri": "s3://team/runs"},
        {"spec__storage__uri": "file:///runs"},
        "spec.storage.uri",
        f'"file:///runs" {LOCAL} s3://',
    ),
    Case(
        {"spec__storage__endpoint": "https://minio:9000", "spec__storage__caSecret": "ca"},
        {"spec__storage__endpoint": "http://minio:9000", "spec__storage__caSecret": "ca"},
        "spec.storage.caSecret",
        '"ca" has a certificate authority, which an http:// endpoint has no use for: remove it, or use https://',
    ),
    *(option_case(*option) for option in VERIFIER_OPTIONS),
    Case(
        {"spec__task__verifier": {"http": {"url": "https://judge", "caSecret": "ca"}}},
        {"spec__task__verifier": {"http": {"url": "http://judge", "caSecret": "ca"}}},
        "spec.task.verifier.http.caSecret",
        '"ca" has a certificate authority, which an http:// address has no use for: remove it, or use https://',
    ),
    *(
        Case(
            {"spec__task__verifier": {"container": {"image": "registry.example/judge:1"}}},
            {"spec__task__verifier": wrong},
            "spec.task.verifier.builtin",
            "needs to be the only one of builtin, container and http, and one of them must be there",
        )
        for wrong in (
            {},
            {"http": {"url": "http://judge"}, "container": {"image": "judge"}},
            {"builtin": {"name": "exact"}, "http": {"url": "http://judge"}},
        )
    ),
    Case(
        {"spec__training__method": {"creditScope": "reflectionAndRetry", "retriesPerReflection": 1}},
        {"spec__training__method": {"creditScope": "reflectionAndRetry", "retriesPerReflection": 2}},
        "spec.training.method.retriesPerReflection",
        "2 is for creditScope reflection only: with reflectionAndRetry the one retry is trained too; use 1",
    ),
    Case(
        {"spec__rollout": {"gpusPerWorker": 4, "tensorParallelSize": 4}},
        {"spec__rollout": {"gpusPerWorker": 2, "tensorParallelSize": 4}},
        "spec.rollout.tensorParallelSize",
        "4 is more than gpusPerWorker: tensor parallelism takes one GPU for each process; lower it",
    ),
    Case(
        {"spec__rollout": {"engine": "vllm", "tensorParallelSize": 2}},
        {"spec__rollout": {"engine": "transformers", "tensorParallelSize": 2}},
        "spec.rollout.tensorParallelSize",
        "2 needs the vllm engine: use 1, or engine vllm",
    ),
    Case(
        {"spec__evaluation": {"attemptsPerPrompt": 8, "passAtK": [2, 8]}},
        {"spec__evaluation": {"passAtK": [2, 8]}},
        "spec.evaluation.passAtK",
        "needs as many answers to each question as its largest k: raise attemptsPerPrompt, or lower it",
    ),
    Case(
        {"spec__evaluation": {"passAtK": [2, 4]}},
        {"spec__evaluation": {"passAtK": [4, 2, 4]}},
        "spec.evaluation.passAtK",
        "names a k twice: write each once",
    ),
    Case(
        {"spec__evaluation": {"controls": ["plainRetry", "swappedReflection"]}},
        {"spec__evaluation": {"controls": ["plainRetry", "plainRetry"]}},
        "spec.evaluation.controls",
        "names a control twice: write each once",
    ),
    Case(
        {"spec__training": {"gpusPerNode": 8, "processesPerNode": 4}},
        {"spec__training": {"gpusPerNode": 4, "processesPerNode": 8}},
        "spec.training.processesPerNode",
        "8 is more than gpusPerNode: every process needs a GPU of its own; lower it or leave it out",
    ),
    Case(
        {"spec__training": {"gpusPerNode": 8, "failuresPerStep": 32}},
        {"spec__training": {"gpusPerNode": 8, "failuresPerStep": 30}},
        "spec.training.failuresPerStep",
        "30 cannot be shared by 8 processes (nodes 1): use a multiple of 8, for example 32",
    ),
    Case(
        {"spec__training": {"nodes": 3, "processesPerNode": 2, "failuresPerStep": 6}},
        {"spec__training": {"nodes": 3, "processesPerNode": 2, "failuresPerStep": 4}},
        "spec.training.failuresPerStep",
        "4 cannot be shared by 6 processes (nodes 3): use a multiple of 6, for example 6",
    ),
    Case(
        {"spec__training": {"failuresPerStep": 6, "microBatchSize": 16}},
        {"spec__training": {"failuresPerStep": 6, "microBatchSize": 7}},
        "spec.training.microBatchSize",
        "7 does not divide the 48 completions of one process and step (failuresPerStep x numGenerations / processes): "
        "use for example 8",
    ),
    Case(
        {"spec__training": {"strategy": "fsdp", "gpusPerNode": 2, "nodes": 2}},
        {"spec__training": {"strategy": "fsdp"}},
        "spec.training.strategy",
        '"fsdp" shares a model out over GPUs: set gpusPerNode, or use ddp',
    ),
    Case(
        {"spec__training": {"reportTo": ["tensorboard", "mlflow"]}},
        {"spec__training": {"reportTo": ["mlflow", "tensorboard", "mlflow"]}},
        "spec.training.reportTo",
        "names a tracker twice: write each once",
    ),
    Case(
        {"spec__training": {"strategy": "deepspeed-zero3", "gpusPerNode": 8}},
        {"spec__training": {"strategy": "deepspeed-zero3", "gpusPerNode": 8, "nodes": 2}},
        "spec.training.strategy",
        '"deepspeed-zero3" is for one node: each node would keep its own part of a checkpoint; use fsdp',
    ),
]

CHANGES = [
    Case({}, {"spec__model__uri": "hf://org/other"}, "spec.model", IMMUTABLE),
    Case({}, {"spec__task__failures": {"deduplicate": True}}, "spec.task", IMMUTABLE),
    Case({"spec__training": {}}, {"spec__training": {"maxSteps": 10}}, "spec.training", IMMUTABLE),
    Case(
        {"spec__evaluation": {}}, {"spec__evaluation": {"attemptsPerPrompt": 9}}, "spec.evaluation", IMMUTABLE
    ),
    Case({"spec__rounds": 1}, {"spec__rounds": 2}, "spec.rounds", IMMUTABLE),
    Case({}, {"spec__storage__uri": "s3://elsewhere"}, "spec.storage", IMMUTABLE),
    Case(
        {"spec__rollout__engine": "vllm"},
        {"spec__rollout__engine": "transformers"},
        "spec.rollout.engine",
        IMMUTABLE,
    ),
    Case({}, {"spec__rollout__attemptsPerPrompt": 2}, "spec.rollout.attemptsPerPrompt", IMMUTABLE),
    Case({}, {"spec__rollout__sampling": {"seed": 1}}, "spec.rollout.sampling", IMMUTABLE),
    Case({}, {"spec__rollout__gpusPerWorker": 1}, "spec.rollout.gpusPerWorker", IMMUTABLE),
    Case({}, {"spec__rollout__tensorParallelSize": 2}, "spec.rollout.tensorParallelSize", IMMUTABLE),
    Case({}, {"spec__managedBy": "kueue.x-k8s.io/multikueue"}, "spec.managedBy", IMMUTABLE),
]
"""`fine` and `wrong` change the valid resource."""

ALLOWED_CHANGES: list[dict[str, Any]] = [
    {"spec__suspend": True},
    {"spec__activeDeadlineSeconds": 60},
    {"spec__pendingDeadlineSeconds": 60},
    {"spec__ttlSecondsAfterFinished": 0},
    {"spec__deletionPolicy": "Delete"},
    {"spec__failurePolicy": {"maxRestarts": 9}},
    {"spec__rollout__workers": 8},
    {"spec__pods": {"common": {"labels": {"team": "a"}}}},
    {"metadata__labels": {"team": "a"}},
]


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
        resource(spec__rollout={"workers": 0}, spec__training={"gpusPerNode": 8, "failuresPerStep": 30})
    )
    assert [problem.field for problem in found] == ["spec.rollout.workers", "spec.training.failuresPerStep"]
