"""Models and prompts from folders and claims. hf:// is in tests/integration/sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec, PromptsSpec
from reflection_trainer.context import StageContext
from reflection_trainer.errors import BadConfig, CorruptArtifact
from reflection_trainer.sources import fetch
from reflection_trainer.sources.fetch import fetch_model, fetch_prompts

from ...support.stage_runs import stage_config


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    monkeypatch.setenv("REFLECT_WORKDIR", str(tmp_path / "work"))
    return StageContext.create(
        stage_config(
            "rollout", folder=tmp_path / "runs", model="file:///model", prompts="file:///train.jsonl"
        )
    )


def refusal(uri: str, context: StageContext) -> str:
    with pytest.raises(BadConfig) as caught:
        fetch_model(ModelSpec(uri=uri), context)
    assert caught.value.reason == Reason.INVALID_MODEL
    return caught.value.message


def test_a_folder_is_used_where_it_is(context: StageContext, tmp_path: Path) -> None:
    (tmp_path / "my model").mkdir()
    (tmp_path / "my model" / "config.json").touch()
    assert fetch_model(ModelSpec(uri=(tmp_path / "my model").as_uri()), context) == tmp_path / "my model"


def test_a_folder_that_is_not_there(context: StageContext, tmp_path: Path) -> None:
    uri = (tmp_path / "none").as_uri()
    assert (
        refusal(uri, context)
        == f"spec.model.uri: {uri}: there is no folder {tmp_path}/none; correct the path"
    )


def test_a_folder_without_a_model(context: StageContext, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no config.json in" in refusal((tmp_path / "empty").as_uri(), context)


def test_a_claim_is_read_where_it_is_mounted(
    context: StageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "CLAIM_MOUNTS", str(tmp_path / "mnt"))
    folder = tmp_path / "mnt" / "models" / "qwen"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    (folder / "train.jsonl").touch()
    assert fetch_model(ModelSpec(uri="pvc://models/qwen"), context) == folder
    prompts = PromptsSpec(uri="pvc://models/qwen/train.jsonl")
    assert fetch_prompts(prompts, "spec.task.prompts") == folder / "train.jsonl"


def test_prompts_that_are_not_there(tmp_path: Path) -> None:
    uri = (tmp_path / "none.jsonl").as_uri()
    with pytest.raises(BadConfig) as caught:
        fetch_prompts(PromptsSpec(uri=uri), "spec.evaluation.prompts")
    assert caught.value.reason == Reason.INVALID_PROMPTS
    assert caught.value.message == (
        f"spec.evaluation.prompts.uri: {uri}: cannot be read: No such file or directory; correct the path or its permissions"
    )


def test_prompts_that_are_a_folder(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").mkdir()
    with pytest.raises(BadConfig) as caught:
        fetch_prompts(PromptsSpec(uri=(tmp_path / "train.jsonl").as_uri()), "spec.task.prompts")
    assert "cannot be read: Is a directory" in caught.value.message


def test_the_model_of_the_round_before_is_checked_as_it_is_copied(
    context: StageContext, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "config.json").write_text("{}")
    context.artifacts.put_folder(trained, "round-1/train/model", kind="model")
    model = ModelSpec(uri=f"{context.config.run_uri}/round-1/train/model")
    assert (fetch_model(model, context) / "config.json").read_text() == "{}"
    context.artifacts.store.write("round-1/train/model/config.json", b"[]")
    with pytest.raises(CorruptArtifact):
        fetch_model(model, context)


def test_a_round_that_left_no_model(context: StageContext) -> None:
    assert "the round before left no model there" in refusal(
        f"{context.config.run_uri}/round-1/train/model", context
    )


def test_a_scheme_that_is_not_read(context: StageContext) -> None:
    with pytest.raises(BadConfig) as caught:
        fetch_model(ModelSpec.model_construct(uri="gs://bucket/model", revision=None), context)
    assert caught.value.reason == Reason.INVALID_SPEC
    assert (
        caught.value.message
        == "spec.model.uri: gs://bucket/model: this version reads hf://, s3://, pvc:// and file:// only"
    )
