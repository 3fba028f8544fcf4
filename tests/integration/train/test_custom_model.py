"""A model whose Python code lies beside its weights: refused, or trained and published with its code."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_api.contract import StageConfig
from reflection_trainer.context import StageContext
from reflection_trainer.storage import Artifacts, open_store
from transformers import AutoModelForCausalLM

from ...support.custom_model import save_custom_model
from ...support.stage_runs import StageRun, run_stage
from . import tiny

pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_custom_model(tmp_path / "model")


def trained(folder: Path, model: Path, *, trusted: bool) -> StageRun:
    made = tiny.config(model, folder / "storage", maxSteps=1)
    spec = made.policy.model_copy(update={"trust_remote_code": trusted})
    config: StageConfig = made.model_copy(update={"model": spec, "policy": spec})
    work = folder / "verify"
    work.mkdir()
    context = StageContext(config, Artifacts(open_store(config.run_uri)), work, 0)
    tiny.store_failures(context, model, tiny.failures(10))
    return run_stage(config, folder / "scratch")


def test_the_trained_model_takes_its_code_along(tmp_path, model):
    run = trained(tmp_path, model, trusted=True)
    assert run.exit_code == 0, run.stderr
    [published] = (tmp_path / "storage").glob("*/*/round-1/train/model")
    assert (published / "modeling_custom.py").read_bytes() == (model / "modeling_custom.py").read_bytes()
    found = AutoModelForCausalLM.from_pretrained(published, trust_remote_code=True)
    assert type(found).__name__ == "CustomForCausalLM"


def test_without_trust_its_code_does_not_run(tmp_path, model):
    run = trained(tmp_path, model, trusted=False)
    assert (run.exit_code, run.result.reason) == (78, "InvalidModel")
    assert "set spec.model.trustRemoteCode: true if you trust that code" in run.result.message
    assert not (tmp_path / "ran").exists()
    assert not list((tmp_path / "storage").glob("*/*/round-1/train"))
