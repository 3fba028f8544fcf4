"""How base answers are sampled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import Rule, schema_rules
from .fields import Seed

EngineName = Literal["vllm", "transformers"]


class SamplingSpec(ApiModel):
    """How tokens are drawn."""

    temperature: Annotated[float, Field(ge=0, le=2)] = Field(0.9, description="0 is greedy decoding.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="Nucleus sampling; 1 is off.")
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Sample among the k likeliest; 0 is off."
    )
    max_tokens: Annotated[int, Field(ge=1, le=131_072)] = Field(512, description="Longest answer, in tokens.")
    seed: Seed = Field(0, description="Every attempt's own seed follows from this one.")


class RolloutSpec(ApiModel):
    """How base answers are sampled."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="self.gpusPerWorker == 0 || self.tensorParallelSize <= self.gpusPerWorker",
                message="is more than gpusPerWorker: tensor parallelism takes one GPU for each process; lower it",
                field_path=".tensorParallelSize",
            ),
            Rule(
                rule="self.engine == 'vllm' || self.tensorParallelSize == 1",
                message="needs the vllm engine: use 1, or engine vllm",
                field_path=".tensorParallelSize",
            ),
        )
    )

    engine: EngineName = Field(
        "vllm", description="vllm (fast, prefix caching) or transformers (slow, runs wherever PyTorch does)."
    )
    workers: Annotated[int, Field(ge=1, le=1024)] = Field(
        1, description="Pods that sample in parallel. A change takes effect with the next Job."
    )
    attempts_per_prompt: Annotated[int, Field(ge=1, le=64)] = Field(
        8, description="Answers to each question."
    )
    sampling: SamplingSpec = Field(default_factory=SamplingSpec, description="How tokens are drawn.")
    gpus_per_worker: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="GPUs of each worker pod; 0 is CPU."
    )
    tensor_parallel_size: Annotated[int, Field(ge=1, le=16)] = Field(
        1, description="Processes that share one copy of the model inside a worker (vLLM)."
    )
