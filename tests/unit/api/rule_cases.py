"""Tables of the CRD's rules: for each a resource that it lets pass and one that it refuses."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

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
        {"spec__evaluation__regression": {"tasks": ["a"], "definitions": {"uri": "pvc://tasks/ours"}}},
        {"spec__evaluation__regression": {"tasks": ["a"], "definitions": {"uri": "file:///tasks"}}},
        "spec.evaluation.regression.definitions.uri",
        f'"file:///tasks" {LOCAL} pvc://',
    ),
    Case(
        {"spec__evaluation__regression": {"tasks": ["hellaswag", "arc_easy"]}},
        {"spec__evaluation__regression": {"tasks": ["hellaswag", "hellaswag"]}},
        "spec.evaluation.regression.tasks",
        "names a task twice: write each once",
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
            {"spec__task__verifier": {"http": {"url": fine, "tokenSecret": "judge"}}},
            {"spec__task__verifier": {"http": {"url": wrong, "tokenSecret": "judge"}}},
            "spec.task.verifier.http.tokenSecret",
            '"judge" would be readable by others on its way to an http:// address: use https:// (caSecret names an authority '
            "of your own), or remove it",
        )
        for fine, wrong in (
            ("https://judge", "http://judge"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1.judge"),
            ("http://localhost", "http://localhosts"),
        )
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
        {"spec__training": {"gpusPerNode": 8, "failuresPerStep": 30}},
        {"spec__training": {"gpusPerNode": 8, "failuresPerStep": 30, "method": {"numGenerations": 6}}},
        "spec.training.failuresPerStep",
        "30 x numGenerations 6 cannot be shared equally by 8 processes (nodes 1): use a multiple of 8, for example 32",
    ),
    Case(
        {"spec__training": {"nodes": 3, "processesPerNode": 2, "failuresPerStep": 3}},
        {"spec__training": {"nodes": 3, "processesPerNode": 2, "failuresPerStep": 4}},
        "spec.training.failuresPerStep",
        "4 x numGenerations 8 cannot be shared equally by 6 processes (nodes 3): use a multiple of 6, for example 6",
    ),
    Case(
        {"spec__training": {"failuresPerStep": 6, "microBatchSize": 16}},
        {"spec__training": {"failuresPerStep": 6, "microBatchSize": 7}},
        "spec.training.microBatchSize",
        "7 does not divide the 48 completions of one process and step (failuresPerStep x numGenerations / processes): "
        "use for example 8, or leave it out",
    ),
    Case(
        {"spec__training": {"processesPerNode": 2, "failuresPerStep": 3, "microBatchSize": 6}},
        {"spec__training": {"processesPerNode": 2, "failuresPerStep": 3, "microBatchSize": 8}},
        "spec.training.microBatchSize",
        "8 does not divide the 12 completions of one process and step (failuresPerStep x numGenerations / processes): "
        "use for example 1, or leave it out",
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
