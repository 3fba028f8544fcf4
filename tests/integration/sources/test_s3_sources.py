"""Models and prompts from a real S3 server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec, PromptsSpec, StorageSpec
from reflection_trainer.context import StageContext
from reflection_trainer.errors import CorruptArtifact
from reflection_trainer.sources.fetch import fetch_model, fetch_prompts
from reflection_trainer.storage import Artifacts, open_store

from ...support.failures import failure_of
from ...support.s3_server import ROOT, S3Server
from ...support.stage_runs import stage_config


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.new_bucket()


@pytest.fixture
def storage(s3_server: S3Server, bucket: str) -> StorageSpec:
    return StorageSpec(uri=f"s3://{bucket}/runs", endpoint=s3_server.endpoint)


@pytest.fixture
def context(storage: StorageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    monkeypatch.setenv("REFLECT_WORKDIR", str(tmp_path / "work"))
    changes = {"storage": storage.to_dict()}
    return StageContext.create(
        stage_config(
            "rollout", folder=tmp_path, model="file:///m", prompts="file:///p.jsonl", changes=changes
        )
    )


@pytest.fixture
def put(s3_server: S3Server, bucket: str) -> Any:
    return lambda key, body=b"x": s3_server.client().put_object(Bucket=bucket, Key=key, Body=body)


@pytest.mark.parametrize("key", ["train.jsonl", "data/deep/train.jsonl", "data/100%25+a=b.jsonl"])
def test_prompts_are_copied_with_their_name(key, put, bucket, storage, context, tmp_path) -> None:
    put(key, b'{"prompt": "1"}')
    file = fetch_prompts(PromptsSpec(uri=f"s3://{bucket}/{key}"), "spec.task.prompts", storage)
    assert file.name == key.rpartition("/")[2]
    assert file.read_bytes() == b'{"prompt": "1"}'
    assert file.is_relative_to(tmp_path / "work")


def test_prompts_that_are_not_there(bucket, storage, context) -> None:
    uri = f"s3://{bucket}/data/none.jsonl"
    failure = failure_of(lambda: fetch_prompts(PromptsSpec(uri=uri), "spec.evaluation.prompts", storage))
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_PROMPTS, 78)
    assert failure.message == (
        f"spec.evaluation.prompts.uri: {uri}: there is no such object; correct the bucket or the key"
    )


def test_a_bucket_that_is_not_there(storage, context, s3_server) -> None:
    uri = "s3://no-such-bucket/data/none.jsonl"
    failure = failure_of(lambda: fetch_prompts(PromptsSpec(uri=uri), "spec.task.prompts", storage))
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_PROMPTS, 78)
    assert failure.message == (
        f"spec.task.prompts.uri: {uri}: there is no such bucket at {s3_server.endpoint}: create it, or correct the URI"
    )


def test_prompts_that_may_not_be_read(put, bucket, storage, context, s3_server, monkeypatch) -> None:
    put("data/train.jsonl")
    user = s3_server.new_user()
    s3_server.allow(bucket, user, {"": "s3:ListBucket"})
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    uri = f"s3://{bucket}/data/train.jsonl"
    failure = failure_of(lambda: fetch_prompts(PromptsSpec(uri=uri), "spec.task.prompts", storage))
    assert (failure.reason, failure.exit_code) == (Reason.STORAGE_DENIED, 78)
    assert failure.message == (
        f"spec.task.prompts.uri: {uri}: access denied (403) for s3:GetObject with key AKIA...{user.id[-3:]} from the "
        "environment (AWS_ACCESS_KEY_ID); reading it needs GetObject and ListBucket"
    )


def test_a_model_is_copied_without_what_is_not_used(put, bucket, context) -> None:
    for name in ("config.json", "model.safetensors", "sub/chat.jinja", "pytorch_model.bin", "notes.md"):
        put(f"models/qwen/{name}", name.encode())
    put("models/qwen-2/config.json")
    folder = fetch_model(ModelSpec(uri=f"s3://{bucket}/models/qwen/"), context)
    copied = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert copied == {"config.json", "model.safetensors", "sub/chat.jinja"}
    assert (folder / "model.safetensors").read_bytes() == b"model.safetensors"


def test_a_prefix_without_a_model(put, bucket, context) -> None:
    put("models/config.json")
    uri = f"s3://{bucket}/models/none"
    failure = failure_of(lambda: fetch_model(ModelSpec(uri=uri), context))
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_MODEL, 78)
    assert failure.message.startswith(f"spec.model.uri: {uri}: there is no config.json below it")
    failure = failure_of(lambda: fetch_model(ModelSpec(uri=f"s3://{bucket}"), context))
    assert "is a whole bucket; give a prefix of it" in failure.message


def test_a_model_with_a_manifest_is_checked(put, bucket, context, storage, tmp_path) -> None:
    """One that another run has trained."""
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "config.json").write_text("{}")
    (trained / "model.safetensors").write_text("weights")
    other = open_store(f"s3://{bucket}/other/run/round-1/train", storage)
    Artifacts(other).put_folder(trained, "model", kind="model")
    model = ModelSpec(uri=f"s3://{bucket}/other/run/round-1/train/model")
    assert (fetch_model(model, context) / "model.safetensors").read_text() == "weights"
    other.write("model/model.safetensors", b"Weights")
    with pytest.raises(CorruptArtifact):
        fetch_model(model, context)


def test_the_model_of_the_round_before(context, tmp_path) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "config.json").write_text("{}")
    context.artifacts.put_folder(trained, "round-1/train/model", kind="model")
    model = ModelSpec(uri=f"{context.config.run_uri}/round-1/train/model")
    assert (fetch_model(model, context) / "config.json").read_text() == "{}"
