"""The rollout stage with the real vLLM: its answers can be repeated, and every setting of the sampler has an effect."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ...support.stage_runs import run_stage
from ...support.tiny_model import save_tiny_model
from .configuration import rollout_config

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

FEW = {"rollout.engine": "vllm", "task.prompts.limit": 20}
NARROWED = {"rollout.sampling.topK": 20, "rollout.sampling.topP": 0.9}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads of a size that vLLM takes on a processor."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "model", head_size=32)


def sampled(folder: Path, model: Path, prompts: Path, **changes: Any) -> list[dict[str, Any]]:
    """The rows of a rollout of its own."""
    config = rollout_config(folder=folder / "runs", model=model, prompts=prompts, changes=FEW | changes)
    run = run_stage(config, folder / "scratch", timeout=500)
    assert run.exit_code == 0, run.stderr
    [shard] = (folder / "runs").rglob("*.parquet")
    return list(pq.read_table(shard).to_pylist())


@pytest.fixture(scope="module")
def narrowed(tmp_path_factory: pytest.TempPathFactory, model: Path, prompts: Path) -> list[dict[str, Any]]:
    return sampled(tmp_path_factory.mktemp("first"), model, prompts, **NARROWED)


def different_answers(rows: list[dict[str, Any]]) -> set[int]:
    """How many different answers the attempts at a question brought."""
    answers = defaultdict(set)
    for row in rows:
        answers[row["question_id"]].add(row["completion"])
    return {len(found) for found in answers.values()}


def test_a_shard_that_is_made_again_has_the_same_rows(tmp_path, model, prompts, narrowed):
    assert len(narrowed) == 18 * 4
    assert max(different_answers(narrowed)) > 1
    assert sampled(tmp_path, model, prompts, **NARROWED) == narrowed


@pytest.mark.timeout(600)
def test_a_shard_that_is_made_after_others_were_found_has_the_same_rows(tmp_path, model, prompts):
    """Its process has not made those before it, and meets the model with nothing in its cache."""
    changes = FEW | {"rollout.attemptsPerPrompt": 16}
    config = rollout_config(folder=tmp_path / "runs", model=model, prompts=prompts, changes=changes)
    assert run_stage(config, tmp_path / "first", timeout=500).exit_code == 0
    first, second = sorted((tmp_path / "runs").rglob("*.parquet"))
    rows, kept = pq.read_table(second).to_pylist(), first.stat().st_ino
    second.unlink()
    second.with_name(f"{second.name}.manifest.json").unlink()
    assert run_stage(config, tmp_path / "again", timeout=500).exit_code == 0
    assert pq.read_table(second).to_pylist() == rows
    assert first.stat().st_ino == kept


@pytest.mark.parametrize("setting", [{"topK": 1}, {"topP": 1e-6}], ids=lambda setting: next(iter(setting)))
def test_what_leaves_only_the_likeliest_token_leaves_one_answer(tmp_path, model, prompts, setting):
    changes = {f"rollout.sampling.{name}": value for name, value in setting.items()}
    assert different_answers(sampled(tmp_path, model, prompts, **changes)) == {1}


@pytest.mark.timeout(600)
def test_two_processes_share_a_model_without_gpus(tmp_path, model, prompts, narrowed):
    """Sums in another order may turn a draw, rarely; a model cut wrongly says other things altogether."""
    rows = sampled(tmp_path, model, prompts, **NARROWED, **{"rollout.tensorParallelSize": 2})
    assert [row["id"] for row in rows] == [row["id"] for row in narrowed]
    same = sum(row["completion"] == other["completion"] for row, other in zip(rows, narrowed, strict=True))
    assert same > 0.9 * len(rows)
