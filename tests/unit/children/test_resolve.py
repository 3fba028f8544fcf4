"""Defaults that depend on other fields, and the model that a round starts from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from reflection_api.stages import Stage
from reflection_api.validation.check import refusals
from reflection_operator.children.resolve import policy, resolve_task, resolve_training, stage_config

from .resources import resource
from .strategies import trainings

KIND = {"apiVersion": "reflection.training/v1alpha1", "kind": "ReflectionTraining"}
RESOLVED = {"processes_per_node", "precision", "micro_batch_size", "generation"}


@pytest.mark.parametrize(
    ("training", "processes", "precision", "micro_batch_size"),
    [
        ({}, 1, "fp32", 8),
        ({"gpusPerNode": 8}, 8, "bf16", 8),
        ({"gpusPerNode": 8, "processesPerNode": 4}, 4, "bf16", 8),
        ({"processesPerNode": 2, "precision": "bf16"}, 2, "bf16", 8),
        ({"gpusPerNode": 1, "precision": "fp32", "method": {"numGenerations": 4}}, 1, "fp32", 4),
        ({"microBatchSize": 2}, 1, "fp32", 2),
    ],
)
def test_training(training: dict[str, Any], processes: int, precision: str, micro_batch_size: int) -> None:
    settings = resolve_training(resource(training=training).spec.training)
    assert settings.processes_per_node == processes
    assert settings.precision == precision
    assert settings.micro_batch_size == micro_batch_size


@pytest.mark.parametrize(
    ("training", "generation"),
    [
        ({}, "transformers"),
        ({"gpusPerNode": 1}, "colocate"),
        ({"generation": "colocate"}, "colocate"),
        ({"gpusPerNode": 1, "generation": "transformers"}, "transformers"),
    ],
)
def test_what_samples_in_training(training: dict[str, Any], generation: str) -> None:
    assert resolve_training(resource(training=training).spec.training).generation == generation


def test_what_is_not_resolved_stays_as_written() -> None:
    spec = resource(training={"nodes": 2, "maxSteps": 7, "lora": {"rank": 4}}).spec.training
    settings = resolve_training(spec)
    assert settings.model_dump(exclude=RESOLVED) == spec.model_dump(exclude=RESOLVED)


def test_every_process_gets_whole_micro_batches() -> None:
    settings = resolve_training(resource(training={"nodes": 2, "gpusPerNode": 4}).spec.training)
    assert settings.world_size == 8
    assert (settings.reflections_per_process, settings.rows_per_process) == (32, 32)
    assert settings.micro_batch_size == 8


@given(trainings())
def test_processes_share_a_step_in_whole_micro_batches(training: dict[str, Any]) -> None:
    run = resource(training=training)
    written = run.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert not refusals(KIND | written, local=False)
    settings = resolve_training(run.spec.training)
    rows = settings.failures_per_step * settings.method.num_generations
    assert settings.rows_per_process * settings.world_size == rows
    assert settings.rows_per_process % settings.micro_batch_size == 0
    if "microBatchSize" in training:
        assert settings.micro_batch_size == training["microBatchSize"]
    else:
        assert settings.micro_batch_size <= settings.method.num_generations


def test_where_groups_span_processes_a_pass_has_a_part_of_one() -> None:
    training = {"processesPerNode": 2, "failuresPerStep": 3, "method": {"numGenerations": 8}}
    settings = resolve_training(resource(training=training).spec.training)
    assert (settings.reflections_per_process, settings.micro_batch_size) == (12, 6)


@pytest.mark.parametrize("verifier", ["countdown", "exact"])
def test_absent_templates_are_the_verifiers_own(verifier: str) -> None:
    task = {
        "prompts": {"uri": "s3://team/train.jsonl"},
        "verifier": {"builtin": {"name": verifier}},
        "templates": {"reflection": "Why is {{ answer }} wrong?"},
    }
    settings = resolve_task(resource(task=task).spec.task)
    assert settings.templates.reflection == "Why is {{ answer }} wrong?"
    assert "question" in settings.templates.retry


def test_the_first_round_starts_from_the_base_model() -> None:
    run = resource(model={"uri": "hf://org/tiny", "revision": "v1", "credentialsSecret": "hub"}, rounds=2)
    assert policy(run, 1) == run.spec.model


def test_a_later_round_starts_from_what_the_round_before_trained() -> None:
    run = resource(
        model={"uri": "hf://org/tiny", "revision": "v1", "credentialsSecret": "hub", "trustRemoteCode": True},
        storage={"uri": "s3://team/runs/"},
        rounds=3,
    )
    assert policy(run, 3).to_dict() == {
        "uri": "s3://team/runs/ml/countdown-1a2b3c4d/round-2/train/model",
        "trustRemoteCode": True,
    }


def test_a_stage_keeps_the_base_model_to_compare_with() -> None:
    run = resource(rounds=2)
    config = stage_config(run, 2, Stage.EVALUATE, 1)
    assert config.model == run.spec.model
    assert config.policy == policy(run, 2)
    assert (config.round, config.rounds, config.attempt) == (2, 2, 1)


def test_the_longest_storage_prefix_leaves_room_for_the_trained_model() -> None:
    run = resource(storage={"uri": "s3://" + "b" * 507}, rounds=10)
    long = run.metadata.model_copy(update={"name": "n" * 63, "namespace": "s" * 63})
    assert policy(run.model_copy(update={"metadata": long}), 10).uri.endswith("/round-9/train/model")
