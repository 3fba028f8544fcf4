"""Reflection-only GRPO."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import Rule, schema_rules
from .fields import Seed

LossType = Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "gspo"]
RewardScaling = Literal["group", "batch", "none"]
Precision = Literal["bf16", "fp32"]
CreditScope = Literal["reflection", "reflectionAndRetry"]
Generation = Literal["transformers", "colocate"]
Strategy = Literal["ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3"]
DeadGroups = Literal["keep", "drop", "refill"]
Tracker = Literal["tensorboard", "wandb", "mlflow", "trackio"]
Scheduler = Literal["cosine", "linear", "constant", "constant_with_warmup"]

PROCESSES = (
    "(self.nodes * (has(self.processesPerNode) ? self.processesPerNode : "
    "(self.gpusPerNode > 0 ? self.gpusPerNode : 1)))"
)
REFLECTIONS = "(self.failuresPerStep * self.method.numGenerations)"
"""In one step, over all processes."""


class MethodSpec(ApiModel):
    """The policy-gradient method. A reflection's reward is 1 when the retry after it is right, else 0."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="self.creditScope != 'reflectionAndRetry' || self.retriesPerReflection == 1",
                message="is for creditScope reflection only: with reflectionAndRetry the one retry is trained too; use 1",
                field_path=".retriesPerReflection",
            ),
        )
    )

    num_generations: Annotated[int, Field(ge=2, le=64)] = Field(
        8, description="Reflections sampled for each failure: the group that GRPO compares."
    )
    beta: Annotated[float, Field(ge=0, le=10)] = Field(
        0.001, description="Weight of the KL divergence from the model that training started from; 0 is off."
    )
    loss_type: LossType = Field(
        "grpo",
        description="How the token losses are aggregated (names as in TRL; gspo is "
        "grpo with one importance ratio per sequence).",
    )
    reward_scaling: RewardScaling = Field(
        "group",
        description="Standard deviation that advantages are divided by: of the group, of the batch, or none.",
    )
    temperature: Annotated[float, Field(gt=0, le=2)] = Field(
        0.9, description="Sampling temperature of reflections and retries."
    )
    credit_scope: CreditScope = Field(
        "reflection",
        description="Which tokens carry the reward: those of the reflection alone, or also those of the retry "
        "(a completion of its own, with the same reward).",
    )
    positive_only: bool = Field(
        False,
        description="Learn only from reflections that earned more than their group's mean: advantages below 0 count as 0.",
    )
    retries_per_reflection: Annotated[int, Field(ge=1, le=16)] = Field(
        1,
        description="Retries sampled after each reflection; the reward is the share of them that are right.",
    )
    dead_groups: DeadGroups = Field(
        "keep",
        description="What becomes of groups in which every reflection earned the same: keep them in the means of the loss "
        "(and in the divergence), drop them from the update, or refill their places with groups of further failures, "
        "drawn in at most four more rounds.",
    )


class LoraSpec(ApiModel):
    """Train low-rank adapters instead of all weights. The published model has them merged in."""

    rank: Annotated[int, Field(ge=1, le=512)] = Field(16, description="Rank of the adapter matrices.")
    alpha: Annotated[int, Field(ge=1, le=1024)] = Field(
        32, description="Scale: updates are multiplied by alpha/rank."
    )
    target_modules: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=64)
    ] = Field(
        default_factory=list,
        description="Names of linear layers to adapt. Default: all of them but the head.",
    )


class CheckpointSpec(ApiModel):
    """How often the state of training is saved: what a restarted attempt loses at most."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        50, description="Steps between two checkpoints."
    )
    keep_last: Annotated[int, Field(ge=1, le=100)] = Field(3, description="Older checkpoints are deleted.")


class TrainingSpec(ApiModel):
    """Reflection-only GRPO under accelerate."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="self.gpusPerNode == 0 || !has(self.processesPerNode) "
                "|| self.processesPerNode <= self.gpusPerNode",
                message="is more than gpusPerNode: every process needs a GPU of its own; lower it or leave it out",
                field_path=".processesPerNode",
            ),
            Rule(
                rule=f"{REFLECTIONS} % {PROCESSES} == 0",
                # Not by `+`: the API server takes a string of an unbounded number to be of any length and too costly.
                message_expression="'%d x numGenerations %d cannot be shared equally by %d processes (nodes %d): use a "
                f"multiple of %d, for example %d'.format([self.failuresPerStep, self.method.numGenerations, {PROCESSES}, "
                f"self.nodes, {PROCESSES}, (self.failuresPerStep / {PROCESSES} + 1) * {PROCESSES}])",
                message="x numGenerations cannot be shared equally: use a multiple of the processes, nodes x processesPerNode",
                field_path=".failuresPerStep",
            ),
            Rule(
                rule=f"!has(self.microBatchSize) || {REFLECTIONS} % {PROCESSES} != 0 || "
                f"({REFLECTIONS} / {PROCESSES}) % self.microBatchSize == 0",
                message_expression="'%d does not divide the %d completions of one process and step (failuresPerStep x "
                f"numGenerations / processes): use for example %d, or leave it out'.format("
                f"[self.microBatchSize, {REFLECTIONS} / {PROCESSES}, "
                f"self.failuresPerStep % {PROCESSES} == 0 ? self.method.numGenerations : 1])",
                message="does not divide failuresPerStep x numGenerations / processes: use a number that does, or leave it out",
                field_path=".microBatchSize",
            ),
            Rule(
                rule="!has(self.reportTo) || self.reportTo.all(t, self.reportTo.exists_one(other, other == t))",
                message="names a tracker twice: write each once",
                field_path=".reportTo",
            ),
            Rule(
                rule="self.strategy == 'ddp' || self.gpusPerNode > 0",
                message="shares a model out over GPUs: set gpusPerNode, or use ddp",
                field_path=".strategy",
            ),
            Rule(
                rule="!self.strategy.startsWith('deepspeed') || self.nodes == 1",
                message="is for one node: each node would keep its own part of a checkpoint; use fsdp",
                field_path=".strategy",
            ),
        )
    )

    nodes: Annotated[int, Field(ge=1, le=256)] = Field(1, description="Pods that train together.")
    gpus_per_node: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="GPUs of each training pod; 0 is CPU."
    )
    processes_per_node: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="Processes of each training pod. Default: one per GPU, or one on CPU."
    )
    strategy: Strategy = Field(
        "ddp",
        description="What each process holds: everything (ddp), a part of weights, gradients and optimizer (fsdp, "
        "deepspeed-zero3), or all weights and a part of the rest (deepspeed-zero2). All but ddp need GPUs.",
    )
    method: MethodSpec = Field(default_factory=MethodSpec, description="The policy-gradient method.")
    failures_per_step: Annotated[int, Field(ge=1, le=65_536)] = Field(
        32,
        description="Failures (groups) in one optimizer step, over all processes. A group may span processes: together they "
        "share failuresPerStep x numGenerations reflections equally.",
    )
    micro_batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = Field(
        None,
        description="Completions per process and forward pass; gradient accumulation follows from it. "
        "Default: numGenerations, or the next smaller number that divides what a process has of one step.",
    )
    max_steps: Annotated[int, Field(ge=1, le=10_000_000)] = Field(1000, description="Optimizer steps.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        5e-7, description="Peak learning rate (AdamW)."
    )
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03, description="Share of steps that warm up."
    )
    scheduler: Scheduler = Field("cosine", description="Course of the learning rate after the warm-up.")
    max_grad_norm: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="Gradients are clipped to this norm."
    )
    precision: Precision | None = Field(
        None, description="bf16 mixed precision or fp32. Default: bf16 with GPUs, else fp32."
    )
    gradient_checkpointing: bool = Field(True, description="Save memory by computing activations twice.")
    seed: Seed = Field(0, description="Seed of the data order and of sampling.")
    reflection_max_tokens: Annotated[int, Field(ge=1, le=131_072)] = Field(
        512, description="Longest reflection, in tokens."
    )
    retry_max_tokens: Annotated[int, Field(ge=1, le=131_072)] = Field(
        512, description="Longest retry, in tokens."
    )
    generation: Generation | None = Field(
        None,
        description="What samples reflections and retries: transformers' generate, or vLLM inside each training process "
        "(colocate), checked after every update to sample with the weights in training. Default: colocate with GPUs, "
        "else transformers.",
    )
    lora: LoraSpec | None = Field(None, description="Train low-rank adapters. Default: all weights.")
    checkpoint: CheckpointSpec = Field(
        default_factory=CheckpointSpec, description="How often the state of training is saved."
    )
    report_to: Annotated[list[Tracker], Field(max_length=4)] = Field(
        default_factory=list,
        description="Trackers that get the figures of every step. Keys and addresses are their own environment variables "
        "(pods.training.env or envFrom), such as WANDB_API_KEY or MLFLOW_TRACKING_URI. A tracker without a server writes "
        "files, which are stored in train/tracking/. One that fails is left out with a warning; training goes on.",
    )
