"""Which shards of answers there are to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reflection_api.layout import MANIFEST, shard_name
from reflection_api.manifests import Manifest, Provenance
from reflection_api.stages import Stage

from ..errors import CorruptArtifact
from ..provenance import prompts_seen_before, refuse_other_provenance, settings_provenance
from ..rollout.shards import STEM, parse_name

if TYPE_CHECKING:
    from ..context import StageContext
    from .verifier import Verifier


def attempt_shards(context: StageContext, verifier: Verifier) -> dict[str, Manifest]:
    """Paths and manifests of the shards of answers, in order: a complete set, made with the settings of this run.

    A rollout whose number of workers was changed can leave the beginnings of another set, which is not looked at.

    Raises:
        CorruptArtifact: there is no complete set.
        BadConfig: the answers were made with other settings (reason DatasetMismatch).
    """
    paths = [context.path(Stage.ROLLOUT, name) for name in _complete_set(context)]
    manifests = {
        path: manifest for path in paths if (manifest := context.artifacts.manifest_of_file(path)) is not None
    }
    expected = _expected(context, verifier, next(iter(manifests.values())).provenance)
    for path, manifest in manifests.items():
        refuse_other_provenance(manifest, expected, context.artifacts.store.uri(path))
    return manifests


def _complete_set(context: StageContext) -> list[str]:
    found: dict[int, set[int]] = {}
    folder = context.path(Stage.ROLLOUT)
    for path in context.artifacts.store.list(folder):
        parsed = parse_name(path.rsplit("/", 1)[-1].removesuffix(f".{MANIFEST}"))
        if parsed and path.endswith(f".{MANIFEST}"):
            found.setdefault(parsed[1], set()).add(parsed[0])
    complete = [count for count, indices in sorted(found.items()) if len(indices) == count]
    if complete:
        return [shard_name(STEM, index, complete[0]) for index in range(complete[0])]
    most = max(found, key=lambda count: len(found[count]) / count, default=0)
    missing = next((index for index in range(most) if index not in found[most]), 0)
    what = (
        f"{shard_name(STEM, missing, most)} and its manifest are missing" if found else "there are no answers"
    )
    raise CorruptArtifact(
        f"storage: {context.artifacts.store.uri(folder)}: {what}; run the rollout stage again"
    )


def _expected(context: StageContext, verifier: Verifier, made: Provenance) -> Provenance:
    """What all shards must have been made from: as this run is set, and by the model that made the first of them."""
    settings = settings_provenance(context.config, verifier)
    prompts = settings.prompts | prompts_seen_before(context.config, made)
    return settings.model_copy(update={"model": made.model, "tokenizer": made.tokenizer, "prompts": prompts})
