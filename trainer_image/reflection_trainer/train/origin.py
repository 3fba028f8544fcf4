"""What a training is made from: a checkpoint or a model of another origin is refused, never mixed in."""

from __future__ import annotations

from pathlib import Path

from reflection_api.contract import StageConfig
from reflection_api.manifests import Manifest, Provenance

from ..provenance import policy_provenance, prompts_seen_before, settings_provenance
from ..verify.verifier import Verifier

_WITHOUT_EFFECT = ("checkpoint", "reportTo")
"""Settings that do not change the weights."""


def dataset_origin(config: StageConfig, verifier: Verifier, model_dir: Path, found: Manifest) -> Provenance:
    """The origin that the dataset of failures must have.

    Raises:
        StageFailure: the prompts file was read from another place, and cannot be read where it should be now.
    """
    settings = settings_provenance(config, verifier)
    prompts = settings.prompts | prompts_seen_before(config, found.provenance)
    return settings.model_copy(update={**policy_provenance(config, model_dir), "prompts": prompts})


def training_origin(config: StageConfig, dataset: Provenance, dataset_sha256: str) -> Provenance:
    """The origin of checkpoints and model: the dataset's, its bytes, and the settings of the training."""
    settings = {
        name: value for name, value in config.training.to_dict().items() if name not in _WITHOUT_EFFECT
    }
    return dataset.model_copy(update={"training": {"failures": dataset_sha256, **settings}})
