"""What the dataset of a round is made from: where nothing of it differs, answers and failures can be used again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason

from .errors import BadConfig
from .prompts.split import HELD_OUT_SHARE
from .sources.fetch import fetch_prompts
from .storage.artifacts import sha256_of

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig, TaskSettings

    from .verify.verifier import Verifier

_MOST_NAMED = 5
_LONGEST_SHOWN = 50
"""Characters of a value in a message, which has room for 1024 in all."""
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
    model: dict[str, Any] = {"uri": config.policy.uri, "sha256": digest_of(model_dir, _WEIGHTS)}
    if config.policy.revision:
        model["revision"] = config.policy.revision
    return {"model": model, "tokenizer": {"sha256": digest_of(model_dir, _TOKENIZER)}}


def prompts_seen_before(config: StageConfig, made: Provenance) -> dict[str, Any]:
    """The part `prompts` for a stage that works on what was made from the prompts file, and has no use for the file itself.

    Its bytes are taken to be those that were recorded for this URI, which the rollout stage has just looked at. Of a file that
    was read from another place, they are looked at here: the same bytes may have moved, and others must not pass for them.

    Raises:
        StageFailure: the file lies elsewhere now, and cannot be read there.
    """
    prompts = config.task.prompts
    if made.prompts.get("uri") == prompts.uri:
        return {"uri": prompts.uri, "sha256": made.prompts.get("sha256")}
    file = fetch_prompts(prompts, "spec.task.prompts", config.storage)
    return {"uri": prompts.uri, "sha256": sha256_of(file)}


def refuse_other_provenance(manifest: Manifest, expected: Provenance, uri: str) -> None:
    """Say in what an artefact's origin differs from what is expected.

    Raises:
        BadConfig: it does (reason DatasetMismatch).
    """
    differences = manifest.provenance.differences(expected)
    if differences:
        raise BadConfig(
            f"storage: {uri} was made with other settings: {_listed(differences)}; use another name or spec.storage.uri, "
            "or delete the folder it is in",
            reason=Reason.DATASET_MISMATCH,
        )


def _listed(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """As many as a message holds, each as `path: what there is, not what is wanted`."""
    named = [f"{path}: {_shown(made)}, not {_shown(wanted)}" for path, (made, wanted) in differences.items()]
    if len(named) > _MOST_NAMED:
        named[_MOST_NAMED:] = [f"{len(named) - _MOST_NAMED} more"]
    return "; ".join(named)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _templates(task: TaskSettings) -> dict[str, str]:
    """Hashes: the texts themselves may be long, and stand in the resource."""
    return {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in task.templates if text is not None
    }


def digest_of(folder: Path, patterns: Iterable[str]) -> str:
    """One hash over names and contents of the files that match."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}):
        digest.update(f"{file.name}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()
