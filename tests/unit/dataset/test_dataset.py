"""The dataset of failures is read as it was written, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reflection_api.manifests import FileEntry, Provenance
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, CorruptArtifact
from reflection_trainer.storage import Artifacts
from reflection_trainer.storage.file_store import FileStore
from reflection_trainer.verify.dataset import SCHEMA, check_reusable, load_failures

from ...support.held import held

FOLDER = "round-1/verify"
PROVENANCE = Provenance(model={"sha256": "a"}, sampling={"temperature": 0.9})


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """A dataset of two shards with three failures, and one shard without any."""
    return stored(tmp_path, [[["a", "b"]], [], [["c"]]])


def stored(folder: Path, shards: Sequence[Iterable[Sequence[str]]], completion: str = "3 * 4") -> Artifacts:
    """Failures of these ids, written by batches."""
    artifacts = Artifacts(FileStore((folder / "runs").as_uri()))
    entries: list[FileEntry] = []
    for index, batches in enumerate(shards):
        local, rows = folder / "local.parquet", 0
        with pq.ParquetWriter(local, SCHEMA) as writer:
            for ids in batches:
                table = [failure(id_) | {"completion": completion} for id_ in ids]
                writer.write_table(pa.Table.from_pylist(table, schema=SCHEMA))
                rows += len(ids)
        path = f"{FOLDER}/failures-{index:05d}-of-{len(shards):05d}.parquet"
        artifacts.put_file(local, path, kind="failures", rows=rows)
        manifest = artifacts.manifest_of_file(path)
        assert manifest is not None
        entries += manifest.files
    total = sum(entry.rows or 0 for entry in entries)
    artifacts.seal_folder(FOLDER, entries, kind="failures", rows=total, provenance=PROVENANCE)
    return artifacts


def failure(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "messages": [{"role": "user", "content": "make 7"}],
        "completion": "3 * 4",
        "reason": "missed_target",
        "attempt": 0,
        "seed": 1,
        "row": json.dumps({"nums": [3, 4], "target": 7, "note": None}),
    }


def test_failures_come_in_order_with_their_rows_as_values(artifacts: Artifacts, tmp_path: Path) -> None:
    failures = list(load_failures(artifacts, FOLDER, tmp_path / "work"))
    assert [failure["id"] for failure in failures] == ["a", "b", "c"]
    assert failures[0] == {
        "id": "a",
        "messages": [{"role": "user", "content": "make 7"}],
        "completion": "3 * 4",
        "reason": "missed_target",
        "attempt": 0,
        "seed": 1,
        "row": {"nums": [3, 4], "target": 7, "note": None},
    }
    assert list((tmp_path / "work").iterdir()) == []


def test_one_shard_at_a_time_is_on_this_machine(artifacts: Artifacts, tmp_path: Path) -> None:
    for _ in load_failures(artifacts, FOLDER, tmp_path / "work"):
        assert len(list((tmp_path / "work").iterdir())) == 1


def test_reading_many_holds_no_more_in_memory_than_reading_few(tmp_path: Path) -> None:
    def most(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        batches = ([f"{start + row}" for row in range(1000)] for start in range(0, count, 1000))
        artifacts = stored(folder, [batches], completion="x" * 1000)
        with held() as found:
            assert sum(1 for _ in found.passing(load_failures(artifacts, FOLDER, folder / "work"))) == count
        return found.most

    assert most(16_000) < 1.3 * most(2000)


def test_plain_datasets_reads_it(artifacts: Artifacts, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "runs" / FOLDER / "*.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert loaded["id"][:] == ["a", "b", "c"]
    assert loaded[0]["messages"] == [{"role": "user", "content": "make 7"}]


def test_without_its_manifest_there_is_no_dataset(artifacts: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "runs" / FOLDER / "manifest.json").unlink()
    with pytest.raises(CorruptArtifact) as caught:
        list(load_failures(artifacts, FOLDER, tmp_path / "work"))
    assert caught.value.message.endswith(f"{FOLDER} holds no complete dataset: run the verify stage")


def test_a_damaged_shard_is_found(artifacts: Artifacts, tmp_path: Path) -> None:
    shard = tmp_path / "runs" / FOLDER / "failures-00002-of-00003.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptArtifact) as caught:
        list(load_failures(artifacts, FOLDER, tmp_path / "work"))
    assert "failures-00002-of-00003.parquet does not match its manifest" in caught.value.message


def test_a_dataset_of_the_same_origin_is_used_again(artifacts: Artifacts) -> None:
    assert check_reusable(artifacts, FOLDER, PROVENANCE).rows == 3


def test_a_dataset_of_another_origin_is_refused_with_the_difference(artifacts: Artifacts) -> None:
    expected = PROVENANCE.model_copy(update={"sampling": {"temperature": 0.7}})
    with pytest.raises(BadConfig) as caught:
        check_reusable(artifacts, FOLDER, expected)
    assert caught.value.reason == Reason.DATASET_MISMATCH
    assert (
        "round-1/verify was made with other settings: sampling.temperature: 0.9, not 0.7"
        in caught.value.message
    )
