"""The trained model in storage: its card, its manifest, and the figures that the stage reports about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml
from reflection_api.contract import ArtifactRef, StageConfig
from reflection_api.layout import MANIFEST
from reflection_api.manifests import Manifest
from reflection_api.spec import VerifierSpec

from ..storage import Artifacts

_METHOD = "https://arxiv.org/abs/2505.24726"


def model_card(
    config: StageConfig, figures: Mapping[str, float], failures: int, versions: Mapping[str, str]
) -> str:
    """The README.md of a trained model, with the metadata that the Hugging Face Hub reads."""
    return f"---\n{yaml.safe_dump(_metadata(config), sort_keys=False)}---\n\n" + "\n".join(
        [
            f"# {config.run.name}",
            "",
            f"A language model that was trained to reflect on its wrong answers: [Reflect, Retry, Reward]({_METHOD}), "
            f"round {config.round} of {config.rounds}. It was shown questions that it had answered wrong, wrote a reflection, "
            "and tried again. Where the second try was right, the reflection was rewarded (GRPO). Only the tokens of the "
            "reflections were trained, never those of an answer.",
            "",
            *_table("Trained on", _data(config, failures)),
            *_table("Method", _settings(config)),
            *_table("Training figures (mean of the last tenth of the steps)", _shown(figures)),
            *_table("Software", versions),
        ]
    )


def model_reference(artifacts: Artifacts, path: str, manifest: Manifest) -> ArtifactRef:
    """The reference to a model that is in storage already."""
    data = artifacts.store.read(f"{path}/{MANIFEST}") or b""
    return ArtifactRef(
        uri=artifacts.store.uri(path),
        sha256=hashlib.sha256(data).hexdigest(),
        size=sum(entry.size for entry in manifest.files),
    )


def _metadata(config: StageConfig) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["reflect-retry-reward", "grpo", "trl"],
    }
    if config.model.uri.startswith("hf://"):
        metadata["base_model"] = config.model.uri.removeprefix("hf://")
    return metadata


def _data(config: StageConfig, failures: int) -> dict[str, Any]:
    task = config.task
    return {
        "Base model": _named(config.model.uri, config.model.revision),
        "This round started from": _named(config.policy.uri, config.policy.revision),
        "Questions": task.prompts.uri,
        "Failed answers": f"{failures:,}",
        "Verifier": _verifier(task.verifier),
    }


def _verifier(verifier: VerifierSpec) -> str:
    options = verifier.builtin.options if verifier.builtin else None
    return verifier.words if options is None else f"{verifier.words} {json.dumps(options)}"


def _settings(config: StageConfig) -> dict[str, Any]:
    training = config.training
    return {
        "Optimizer steps": training.max_steps,
        "Failures per step": training.failures_per_step,
        "Reflections per failure": training.method.num_generations,
        "Learning rate": f"{training.learning_rate:g}, {training.scheduler}, warm-up {training.warmup_ratio:g}",
        "KL weight (beta)": training.method.beta,
        "Loss": f"{training.method.loss_type}, rewards scaled by {training.method.reward_scaling}",
        "Temperature": training.method.temperature,
        "Longest reflection, retry": f"{training.reflection_max_tokens}, {training.retry_max_tokens} tokens",
        "Trained weights": f"LoRA, rank {training.lora.rank}, merged" if training.lora else "all",
        "Seed": training.seed,
    }


def _shown(figures: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.4g}" for name, value in figures.items()}


def _named(uri: str, revision: str | None) -> str:
    return f"{uri} at {revision}" if revision else uri


def _table(title: str, rows: Mapping[str, Any]) -> list[str]:
    return [
        f"## {title}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
    ]
