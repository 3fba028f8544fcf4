"""Which shards an earlier attempt finished, and whether they were made from the same things."""

from __future__ import annotations

from collections.abc import Sequence

from reflection_api.layout import MANIFEST
from reflection_api.manifests import Manifest, Provenance
from reflection_api.stages import Stage

from ..context import StageContext
from ..provenance import refuse_other_provenance
from .shards import Shard, parse_name


def finished_shards(
    context: StageContext, shards: Sequence[Shard], provenance: Provenance
) -> dict[int, Manifest]:
    """Manifests of those shards that exist, by index.

    Raises:
        BadConfig: a shard there was made from something else (reason DatasetMismatch). Nothing is overwritten.
    """
    _check_other_counts(context, shards, provenance)
    found = {shard.index: _manifest(context, shard, provenance) for shard in shards}
    return {index: manifest for index, manifest in found.items() if manifest is not None}


def _manifest(context: StageContext, shard: Shard, provenance: Provenance) -> Manifest | None:
    path = context.path(Stage.ROLLOUT, shard.name)
    manifest = context.artifacts.manifest_of_file(path)
    if manifest is not None:
        refuse_other_provenance(manifest, provenance, context.artifacts.store.uri(path))
    return manifest


def _check_other_counts(context: StageContext, shards: Sequence[Shard], provenance: Provenance) -> None:
    """Shards of another count do not clash by name; one of each count tells where all of them come from."""
    current = {shard.count for shard in shards}
    seen: set[int] = set()
    for path in context.artifacts.store.list(context.path(Stage.ROLLOUT)):
        data = path.removesuffix(f".{MANIFEST}")
        parsed = parse_name(data.rsplit("/", 1)[-1])
        if data == path or parsed is None or parsed[1] in current | seen:
            continue
        seen.add(parsed[1])
        manifest = context.artifacts.manifest_of_file(data)
        if manifest is not None:
            refuse_other_provenance(manifest, provenance, context.artifacts.store.uri(data))
