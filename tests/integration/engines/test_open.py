"""What the engines do not take is the model's fault or the machine's, and is named so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.engines import open_engine
from reflection_trainer.engines import transformers_engine as by_transformers
from reflection_trainer.engines.model import inspect_model
from reflection_trainer.errors import BadConfig, StageFailure

from ...support.custom_model import save_custom_model
from ...support.stage_runs import countdown_rows, run_stage, stage_config, stored, write_prompts
from ...support.tiny_model import save_tiny_model

URI = "file:///tiny"


@pytest.fixture
def model(tmp_path: Path):
    return inspect_model(save_tiny_model(tmp_path / "model"), uri=URI)


def failing_engine(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Failing:
        def __init__(self, *_args: object, **_settings: object) -> None:
            raise error

    monkeypatch.setattr(by_transformers, "TransformersEngine", Failing)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ValueError("There is no module named 'layers.9'\nin the model"),
            "There is no module named 'layers.9'",
        ),
        (AssertionError(), "AssertionError"),
        (KeyError("layers.9"), "KeyError: 'layers.9'"),
        (NotImplementedError("no such rotation"), "no such rotation"),
    ],
)
def test_a_model_that_an_engine_refuses(model, monkeypatch, error, words):
    failing_engine(monkeypatch, error)
    with pytest.raises(BadConfig) as caught:
        open_engine("transformers", model)
    assert caught.value.reason == Reason.INVALID_MODEL
    assert (
        caught.value.message == f"spec.model.uri: {URI} cannot be loaded by the engine transformers: {words}"
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000000 bytes"),
        ValueError("No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"),
    ],
)
def test_a_machine_without_room_is_not_the_models_fault(model, monkeypatch, error):
    failing_engine(monkeypatch, error)
    with pytest.raises(StageFailure) as caught:
        open_engine("transformers", model)
    assert (caught.value.reason, caught.value.exit_code) == (Reason.OUT_OF_MEMORY, 1)
    assert caught.value.message.startswith(f"spec.model.uri: {URI} does not fit into memory: ")


def test_a_machine_in_trouble_is_not_the_models_fault(model, monkeypatch):
    failing_engine(monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        open_engine("transformers", model)


def test_processes_that_the_heads_cannot_be_shared_among(model):
    with pytest.raises(BadConfig) as caught:
        open_engine("vllm", model, tensor_parallel_size=3)
    assert caught.value.reason == Reason.INVALID_SPEC
    assert caught.value.message == (
        f"spec.rollout.tensorParallelSize: 3 does not divide the 2 attention heads of model {URI}: use a number that does"
    )


def test_the_code_of_a_trusted_model_runs_in_the_engine(tmp_path):
    folder = save_custom_model(tmp_path / "model")
    engine = open_engine("transformers", inspect_model(folder, uri=URI, trust_remote_code=True))
    assert type(engine._model).__name__ == "CustomForCausalLM"
    engine.close()


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.parametrize(
    ("head_size", "layers", "words"),
    [
        (16, 2, "has attention heads of 16 numbers, and vLLM computes heads of 32, 64, "),
        (32, 1, "cannot be loaded by the engine vllm: There is no module or parameter named 'layers.1'"),
    ],
    ids=["heads", "layers"],
)
def test_what_only_vllm_refuses(tmp_path, head_size, layers, words):
    """Weights of more layers than the configuration has are silently cut by transformers."""
    model = save_tiny_model(tmp_path / "model", head_size=head_size)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers}))
    prompts = write_prompts(tmp_path / "train.jsonl", countdown_rows(20))
    changes = {
        "rollout.engine": "vllm",
        "training.reflectionMaxTokens": 8,
        "training.retryMaxTokens": 8,
    }
    run = run_stage(
        stage_config("rollout", folder=tmp_path / "runs", model=model, prompts=prompts, changes=changes),
        tmp_path / "scratch",
    )
    assert (run.exit_code, run.result.reason) == (78, "InvalidModel"), run.stderr
    assert run.result.message.startswith(f"spec.model.uri: {model.as_uri()} {words}")
    assert "Traceback" not in run.stderr
    assert stored(tmp_path / "runs") == set()
