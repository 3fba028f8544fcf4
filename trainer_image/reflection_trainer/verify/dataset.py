"""The dataset of failures: how it is written, read and found fit to be used again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from reflection_api.manifests import Manifest, Provenance

from ..errors import CorruptArtifact
from ..provenance import refuse_other_provenance
from ..storage import Artifacts

STEM = "failures"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("completion", pa.string()),
        ("reason", pa.string()),
        ("attempt", pa.int32()),
        ("seed", pa.int64()),
        ("row", pa.string()),
    ]
)
"""`messages` holds the conversation up to the question, `completion` the failed text, `row` a JSON string."""

_BATCH = 1024


def load_failures(artifacts: Artifacts, folder: str, workdir: Path) -> Iterator[dict[str, Any]]:
    """The failures of a round, one at a time, in an order that is always the same; `row` as values, not as a string.

    Args:
        artifacts: the run's.
        folder: the dataset's, relative to the run's; see `layout.stage_path`.
        workdir: where one shard at a time is kept.

    Raises:
        CorruptArtifact: the dataset is not there, or a shard does not match its manifest.
    """
    manifest = dataset_manifest(artifacts, folder)
    for entry in manifest.files:
        local = workdir / entry.path
        artifacts.get_part(folder, entry, local)
        for row in read_rows(local):
            yield row | {"row": json.loads(row["row"])}
        local.unlink()


def dataset_manifest(artifacts: Artifacts, folder: str) -> Manifest:
    """The manifest of the dataset as a whole: its shards, counts and provenance.

    Raises:
        CorruptArtifact: there is none.
    """
    manifest = artifacts.manifest_of_folder(folder)
    if manifest is None:
        raise CorruptArtifact(
            f"storage: {artifacts.store.uri(folder)} holds no complete dataset: run the verify stage"
        )
    return manifest


def check_reusable(artifacts: Artifacts, folder: str, expected: Provenance) -> Manifest:
    """The dataset's manifest, if it was made from what is expected.

    Raises:
        CorruptArtifact: there is no dataset.
        BadConfig: it was made from something else; the message names the difference (reason DatasetMismatch).
    """
    manifest = dataset_manifest(artifacts, folder)
    refuse_other_provenance(manifest, expected, artifacts.store.uri(folder))
    return manifest


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a shard of attempts or failures; a batch of them is in memory."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            yield from batch.to_pylist()
