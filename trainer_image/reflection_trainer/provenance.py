"""What the dataset of a round is made from: equal provenance means that answers and failures can be used again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason

from .errors import BadConfig
from .prompts.split import HELD_OUT_SHARE
from .storage.artifacts import sha256_of

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig, TaskSettings

    from .verify.verifier import Verifier

_WEIGHTS = ("*.safetensors", "config.json", "generation_config.json", "*.py")
_TOKENIZER = (
    "tokenizer*",
    "*.model",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.jinja",
)


def settings_provenance(config: StageConfig, verifier: Verifier) -> Provenance:
    """The part that follows from the configuration alone, without model and prompts file."""
    task, rollout = config.task, config.rollout
    return Provenance(
        prompts={
            "uri": task.prompts.uri,
            "limit": task.prompts.limit,
            "seed": task.prompts.seed,
            "columns": dict(task.columns),
            "heldOutShare": 0 if config.evaluation.prompts else HELD_OUT_SHARE,
        },
        templates=_templates(task),
        sampling={
            "engine": rollout.engine,
            "attemptsPerPrompt": rollout.attempts_per_prompt,
            **rollout.sampling.to_dict(),
        },
        verifier={
            "name": verifier.name,
            "version": verifier.version,
            "options": verifier.options.to_dict(),
            "deduplicate": task.failures.deduplicate,
        },
    )


def dataset_provenance(
    config: StageConfig, verifier: Verifier, *, model_dir: Path, prompts_file: Path
) -> Provenance:
    """Everything that the answers and failures of a round follow from."""
    settings = settings_provenance(config, verifier)
    prompts = settings.prompts | {"sha256": sha256_of(prompts_file)}
    return settings.model_copy(update={**policy_provenance(config, model_dir), "prompts": prompts})


def policy_provenance(config: StageConfig, model_dir: Path) -> dict[str, dict[str, Any]]:
    """The parts `model` and `tokenizer`: the policy's files, wherever they came from."""
    model: dict[str, Any] = {"uri": config.policy.uri, "sha256": _digest(model_dir, _WEIGHTS)}
    if config.policy.revision:
        model["revision"] = config.policy.revision
    return {"model": model, "tokenizer": {"sha256": _digest(model_dir, _TOKENIZER)}}


def refuse_other_provenance(manifest: Manifest, expected: Provenance, uri: str) -> None:
    """Say in what an artefact's origin differs from what is expected.

    Raises:
        BadConfig: it does (reason DatasetMismatch).
    """
    difference = manifest.provenance.difference(expected)
    if difference:
        raise BadConfig(
            f"storage: {uri} was made with other settings: {difference}; use another name or spec.storage.uri, "
            "or delete the folder it is in",
            reason=Reason.DATASET_MISMATCH,
        )


def _templates(task: TaskSettings) -> dict[str, str]:
    """Hashes: the texts themselves may be long, and stand in the resource."""
    return {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in task.templates if text is not None
    }


def _digest(folder: Path, patterns: Iterable[str]) -> str:
    """One hash over names and contents of the files that match."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        digest.update(f"{file.name}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()
