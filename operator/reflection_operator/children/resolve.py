"""Defaults that depend on other fields, filled in once: what a stage is told.

The resource keeps what its author wrote; a stage gets everything decided, so that two stages (or an operator and a laptop)
can never decide differently.
"""

from __future__ import annotations

from reflection_api.contract import RunRef, StageConfig, TaskSettings, TrainingSettings
from reflection_api.layout import model_path, run_uri
from reflection_api.resource import ReflectionTraining
from reflection_api.spec import ModelSpec, TaskSpec, TrainingSpec
from reflection_api.stages import Stage
from reflection_api.templates import resolve_templates


def stage_config(resource: ReflectionTraining, round_number: int, stage: Stage, attempt: int) -> StageConfig:
    """What the pods of one attempt at a stage are told."""
    run, spec = resource.metadata, resource.spec
    return StageConfig(
        stage=stage,
        run=RunRef(namespace=run.namespace, name=run.name, uid=run.uid),
        round=round_number,
        rounds=spec.rounds,
        attempt=attempt,
        model=spec.model,
        policy=policy(resource, round_number),
        task=resolve_task(spec.task),
        rollout=spec.rollout,
        training=resolve_training(spec.training),
        evaluation=spec.evaluation,
        storage=spec.storage,
    )


def policy(resource: ReflectionTraining, round_number: int) -> ModelSpec:
    """The model that a round starts from: the base model, later the one that the round before has trained."""
    model = resource.spec.model
    if round_number == 1:
        return model
    run = resource.metadata
    folder = run_uri(resource.spec.storage.uri, run.namespace, run.name, run.uid)
    # A trained model keeps the code that came with its base model, so the permission to run it goes along.
    return ModelSpec(
        uri=f"{folder}/{model_path(round_number - 1)}", trust_remote_code=model.trust_remote_code
    )


def resolve_task(task: TaskSpec) -> TaskSettings:
    """The task with the verifier's own templates where the author gave none."""
    templates = resolve_templates(task.templates, task.verifier.name)
    return TaskSettings.model_validate({**_fields(task), "templates": templates})


def resolve_training(training: TrainingSpec) -> TrainingSettings:
    """Training with one process per GPU, bf16 where there are GPUs, and a whole group in each forward pass by default.

    Where groups span processes, a pass may have less than one: it divides the reflections of a process.
    """
    processes = training.processes_per_node or max(training.gpus_per_node, 1)
    generations = training.method.num_generations
    own = training.failures_per_step * generations // (training.nodes * processes)
    micro_batch_size = next(size for size in range(generations, 0, -1) if own % size == 0)
    return TrainingSettings.model_validate(
        {
            **_fields(training),
            "processes_per_node": processes,
            "generation": training.generation or ("colocate" if training.gpus_per_node else "transformers"),
            "precision": training.precision or ("bf16" if training.gpus_per_node else "fp32"),
            "micro_batch_size": training.micro_batch_size or micro_batch_size,
        }
    )


def _fields(spec: TaskSpec | TrainingSpec) -> dict[str, object]:
    """The fields as they are, values not converted."""
    return {name: getattr(spec, name) for name in type(spec).model_fields}
