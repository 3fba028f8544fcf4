"""What a run was told: from its StageConfig, else from the report that it wrote, else from the manifests of its artefacts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reflection_api.contract import StageConfig
from reflection_api.layout import MANIFEST, stage_path
from reflection_api.manifests import Manifest, Provenance
from reflection_api.stages import Stage

from ..storage import Artifacts
from .content import Settings

REPORT = f"{stage_path(1, Stage.REPORT)}/report.json"
_UID = 8
_BESIDES_SAMPLING = ("engine", "attemptsPerPrompt")


def settings_of(config: StageConfig) -> Settings:
    """The settings of a stage's run."""
    return Settings(
        name=config.run.name,
        namespace=config.run.namespace,
        uri=config.run_uri,
        model=config.model.to_dict(),
        task=config.task.to_dict(),
        rollout=config.rollout.to_dict(),
        training=config.training.to_dict(),
        evaluation=config.evaluation.to_dict(),
        planned_rounds=config.rounds,
    )


def settings_left(artifacts: Artifacts, rounds: int) -> Settings:
    """The settings of a run that is known by its folder alone."""
    data = artifacts.store.read(REPORT) if artifacts.manifest_of_file(REPORT) else None
    return _from_report(artifacts, data) or _from_manifests(artifacts, rounds)


def _from_report(artifacts: Artifacts, data: bytes | None) -> Settings | None:
    """The part that says what the run was told; the rest of it may be another version's."""
    try:
        document = json.loads(data or b"null")
        names = {field.alias or name for name, field in Settings.model_fields.items()}
        told = {name: value for name, value in document.items() if name in names}
        return Settings.model_validate(told | {"uri": artifacts.store.root})
    except (ValueError, AttributeError):
        return None


def _from_manifests(artifacts: Artifacts, rounds: int) -> Settings:
    """Gates and deadlines stand in no manifest; what the artefacts were made from does."""
    made = _provenance(artifacts, Stage.TRAIN) or _provenance(artifacts, Stage.ROLLOUT) or Provenance()
    *_, namespace, folder = artifacts.store.root.split("/")
    return Settings(
        name=folder[: -_UID - 1] or folder,
        namespace=namespace,
        uri=artifacts.store.root,
        model=_without(made.model, "sha256"),
        task={
            "prompts": _without(made.prompts, "sha256", "columns", "heldOutShare"),
            "verifier": _verifier(_without(made.verifier, "version", "deduplicate")),
        },
        rollout={
            **{name: made.sampling[name] for name in _BESIDES_SAMPLING if name in made.sampling},
            "sampling": _without(made.sampling, *_BESIDES_SAMPLING),
        },
        training=_without(made.training, "failures"),
        evaluation={},
        planned_rounds=rounds,
    )


def _verifier(made: Mapping[str, Any]) -> dict[str, Any]:
    """Of an own verifier a manifest knows the kind and what it was made from."""
    kind = made.get("name")
    return {kind: made.get("options", {})} if kind in ("container", "http") else {"builtin": made}


def _provenance(artifacts: Artifacts, stage: Stage) -> Provenance | None:
    """What the first round's artefacts of a stage were made from."""
    found = next(iter(manifests(artifacts, stage_path(1, stage))), None)
    return found[1].provenance if found else None


def manifests(artifacts: Artifacts, folder: str) -> Iterable[tuple[str, Manifest]]:
    """Path and manifest of every single file below a folder that is complete."""
    for path in artifacts.store.list(folder):
        data = path.removesuffix(f".{MANIFEST}")
        manifest = artifacts.manifest_of_file(data) if data != path else None
        if manifest is not None:
            yield data, manifest


def trained_on(settings: Settings) -> tuple[str, str]:
    """The URIs of model and prompts; a run that has just begun may not have left them yet."""
    model, prompts = settings.model.get("uri"), settings.task.get("prompts", {}).get("uri")
    return model or "a model that is not named", prompts or "prompts that are not named"


def verifier_name(task: Mapping[str, Any]) -> str:
    """What judged the answers: the name of a built-in verifier, an image, or a service's URL."""
    kinds: dict[str, dict[str, Any]] = task.get("verifier", {})
    for kind, key in (("builtin", "name"), ("container", "image"), ("http", "url")):
        if kind in kinds:
            return str(kinds[kind].get(key, kind))
    return "an unknown verifier"


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names and value is not None}
