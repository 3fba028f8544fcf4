"""Artefacts exist with their manifest or not at all, and damage is found when they are read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, CorruptArtifact, DependencyAway, StageFailure
from reflection_trainer.storage import Artifacts
from reflection_trainer.storage.file_store import FileStore
from reflection_trainer.storage.store import ABSENT, ANY


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(FileStore((tmp_path / "runs").as_uri()))


def put(artifacts: Artifacts, tmp_path: Path, data: bytes = b"rows", path: str = "rollout/a.parquet") -> Path:
    local = tmp_path / "local"
    local.write_bytes(data)
    artifacts.put_file(
        local, path, kind="attempts", rows=4, metrics={"tokens": 8}, provenance=Provenance(model={"uri": "m"})
    )
    return tmp_path / "runs" / path


def test_a_file_comes_back_with_its_manifest(artifacts: Artifacts, tmp_path: Path) -> None:
    put(artifacts, tmp_path)
    manifest = artifacts.get_file("rollout/a.parquet", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"rows"
    assert manifest is not None
    assert manifest.rows == 4
    assert manifest.metrics == {"tokens": 8}
    assert manifest.provenance == Provenance(model={"uri": "m"})
    assert manifest.files[0].sha256 == hashlib.sha256(b"rows").hexdigest()
    assert manifest.versions["reflect-operator"]


def test_the_reference_says_what_was_written(artifacts: Artifacts, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(b"rows")
    reference = artifacts.put_file(local, "a", kind="attempts", rows=4)
    assert reference.uri == f"{(tmp_path / 'runs').as_uri()}/a"
    assert (reference.sha256, reference.rows, reference.size) == (hashlib.sha256(b"rows").hexdigest(), 4, 4)


def test_without_its_manifest_a_file_does_not_exist(artifacts: Artifacts, tmp_path: Path) -> None:
    stored = put(artifacts, tmp_path)
    stored.with_name("a.parquet.manifest.json").unlink()
    assert artifacts.manifest_of_file("rollout/a.parquet") is None
    assert artifacts.get_file("rollout/a.parquet", tmp_path / "copy") is None


def test_data_go_before_the_manifest(artifacts: Artifacts, tmp_path: Path) -> None:
    """Killed between the two, nothing may exist: so when the manifest cannot be written, the data are there already."""
    (tmp_path / "runs" / "rollout" / "a.parquet.manifest.json").mkdir(parents=True)
    (tmp_path / "runs" / "rollout" / "a.parquet.manifest.json" / "in the way").touch()
    with pytest.raises(StageFailure):
        put(artifacts, tmp_path)
    assert (tmp_path / "runs" / "rollout" / "a.parquet").read_bytes() == b"rows"


@given(st.data())
def test_any_damage_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tmp_path = tmp_path_factory.mktemp("damage")
    artifacts = Artifacts(FileStore((tmp_path / "runs").as_uri()))
    original = data.draw(st.binary(min_size=1, max_size=64))
    damaged = data.draw(st.binary(max_size=64).filter(lambda found: found != original))
    put(artifacts, tmp_path, original).write_bytes(damaged)
    with pytest.raises(CorruptArtifact) as caught:
        artifacts.get_file("rollout/a.parquet", tmp_path / "copy")
    assert "rollout/a.parquet does not match its manifest" in caught.value.message
    assert not (tmp_path / "copy").exists()


def test_data_that_are_gone(artifacts: Artifacts, tmp_path: Path) -> None:
    put(artifacts, tmp_path).unlink()
    with pytest.raises(CorruptArtifact) as caught:
        artifacts.get_file("rollout/a.parquet", tmp_path / "copy")
    assert "is named in its manifest but is missing" in caught.value.message
    assert caught.value.reason == Reason.ARTIFACT_CORRUPT


def test_a_manifest_that_is_none(artifacts: Artifacts, tmp_path: Path) -> None:
    put(artifacts, tmp_path).with_name("a.parquet.manifest.json").write_text('{"kind": ')
    with pytest.raises(CorruptArtifact) as caught:
        artifacts.manifest_of_file("rollout/a.parquet")
    assert "a.parquet.manifest.json is not a manifest: delete it" in caught.value.message


def test_a_manifest_of_a_newer_version_is_refused_and_not_called_damaged(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    """It may hold more than this version knows, and say it in other words."""
    file = put(artifacts, tmp_path).with_name("a.parquet.manifest.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 2, "checksums": "elsewhere"}))
    with pytest.raises(BadConfig) as caught:
        artifacts.get_file("rollout/a.parquet", tmp_path / "copy")
    assert caught.value.reason == Reason.DATASET_MISMATCH
    assert caught.value.message == (
        f"storage: {file.as_uri()} was written by a newer version of reflect-operator (manifest version 2, this one reads 1); "
        "go on with that version's image, or use another name or spec.storage.uri"
    )


@pytest.mark.parametrize("version", [0, "2", None])
def test_a_version_that_never_was_is_no_manifest(artifacts: Artifacts, tmp_path: Path, version: Any) -> None:
    file = put(artifacts, tmp_path).with_name("a.parquet.manifest.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": version}))
    with pytest.raises(CorruptArtifact, match="is not a manifest"):
        artifacts.manifest_of_file("rollout/a.parquet")


def test_a_folder_comes_back_whole(artifacts: Artifacts, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "sub" / "weights").write_bytes(b"w")
    artifacts.put_folder(model, "train/model", kind="model")
    manifest = artifacts.get_folder("train/model", tmp_path / "copy")
    assert manifest is not None
    assert [entry.path for entry in manifest.files] == ["config.json", "sub/weights"]
    assert (tmp_path / "copy" / "sub" / "weights").read_bytes() == b"w"
    assert artifacts.get_folder("train/none", tmp_path / "none") is None


def test_a_deleted_folder_is_gone(artifacts: Artifacts, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    artifacts.put_folder(model, "train/model", kind="model")
    artifacts.delete_folder("train/model")
    assert artifacts.manifest_of_folder("train/model") is None
    assert not (tmp_path / "runs" / "train").exists() or not list(
        (tmp_path / "runs" / "train").rglob("*.json")
    )


def test_checking_that_a_folder_can_be_written_leaves_nothing(artifacts: Artifacts, tmp_path: Path) -> None:
    artifacts.check_writable("rollout", "0")
    assert not (tmp_path / "runs" / "rollout").exists()
    (tmp_path / "runs").rmdir()
    (tmp_path / "runs").touch()
    with pytest.raises(BadConfig):
        artifacts.check_writable("rollout", "0")


def test_a_disk_without_room_for_the_check_is_left_as_it_was(tmp_path: Path) -> None:
    class Full(FileStore):
        def write(self, path: str, data: bytes, *, expected: str = ANY) -> str:
            if expected == ABSENT:
                raise DependencyAway("storage: cannot write", reason=Reason.STORAGE_FULL)
            return super().write(path, data)

    with pytest.raises(DependencyAway, match="cannot write"):
        Artifacts(Full((tmp_path / "runs").as_uri())).check_writable("rollout", "0")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_manifest_reads_back_as_it_was_written() -> None:
    manifest = Manifest(kind="attempts", files=[], provenance=Provenance(prompts={"limit": None, "seed": 1}))
    assert Manifest.model_validate_json(manifest.to_json()).provenance.differences(manifest.provenance) == {}
