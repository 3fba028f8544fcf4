"""Bad input to a training process: one sentence that names field, value and remedy, and the exit code of the stage."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from reflection_trainer.errors import is_out_of_memory
from reflection_trainer.train import session as sessions
from reflection_trainer.train.worker import run

from . import tiny
from .sessions import make_order, taking_checkpoints

pytestmark = pytest.mark.training


@pytest.fixture
def broken(tmp_path, model) -> Path:
    """A copy of the model, to be damaged."""
    return Path(shutil.copytree(model, tmp_path / "broken"))


def outcome(tmp_path, model, **kwargs):
    return run(make_order(tmp_path, model, **kwargs))


def assert_failed(found, *, reason, exit_code, words):
    assert (found.ended, found.reason, found.exit_code) == ("failed", reason, exit_code)
    assert words in found.message
    assert "Traceback" not in found.message
    assert "\n" not in found.message


def test_a_tokenizer_without_a_chat_template(tmp_path, broken):
    (broken / "chat_template.jinja").unlink()
    found = outcome(tmp_path, broken)
    assert_failed(
        found,
        reason="InvalidModel",
        exit_code=78,
        words=f"spec.model.uri: file://{broken} has no chat template",
    )


def test_weights_that_are_not_the_configurations(tmp_path, broken):
    file = broken / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"hidden_size": 24, "head_dim": 12}))
    found = outcome(tmp_path, broken)
    assert_failed(found, reason="InvalidModel", exit_code=78, words="does not fit its config.json: ")


def test_a_context_that_is_too_short_for_any_conversation(tmp_path):
    folder = tiny.write_model(tmp_path / "short", context=16)
    found = outcome(tmp_path, folder)
    assert_failed(found, reason="DatasetEmpty", exit_code=65, words="the model's context of 16 tokens")


def test_no_failures(tmp_path, model):
    assert_failed(
        outcome(tmp_path, model, count=0),
        reason="DatasetEmpty",
        exit_code=65,
        words="there is nothing to train on",
    )


def test_an_adapter_for_no_layer(tmp_path, model):
    found = outcome(tmp_path, model, lora={"targetModules": ["attention"]})
    assert_failed(
        found, reason="InvalidSpec", exit_code=78, words="spec.training.lora.targetModules: attention"
    )


def test_a_template_that_needs_a_column_which_some_row_lacks(tmp_path, model):
    order = make_order(tmp_path, model)
    templates = order.config.task.templates.model_copy(update={"reflection": "try {{ row.hint }}"})
    task = order.config.task.model_copy(update={"templates": templates})
    order = order.model_copy(update={"config": order.config.model_copy(update={"task": task})})
    assert_failed(run(order), reason="InvalidTemplate", exit_code=78, words="spec.task.templates.reflection")


def test_fewer_processes_than_the_resource_asks_for(tmp_path, model):
    """As when a launcher starts one process where two were asked for, or a machine misses the rendezvous."""
    found = outcome(tmp_path, model, processesPerNode=2)
    assert_failed(
        found,
        reason="TrainerCrashed",
        exit_code=1,
        words="1 training processes found each other, but the resource asks for 2",
    )


def test_some_failures_too_long_are_a_note(tmp_path, model):
    order = make_order(tmp_path, model, maxSteps=1)
    rows = order.failures.read_text().splitlines()
    long = json.loads(rows[0])
    long["messages"][0]["content"] = "say " * 60
    order.failures.write_text("\n".join([*rows[1:], json.dumps(long)]) + "\n")
    with taking_checkpoints(order, tmp_path):
        found = run(order)
    assert (found.ended, found.left_out) == ("completed", 1)
    assert found.note.startswith("1 of 10 failures are left out")


def test_a_defect_is_reported_with_its_kind_and_a_traceback_in_the_log(tmp_path, model, monkeypatch, capfd):
    def broken(_order):
        raise KeyError("advantages")

    monkeypatch.setattr(sessions, "train", broken)
    found = outcome(tmp_path, model)
    assert_failed(found, reason="TrainerCrashed", exit_code=1, words="KeyError: 'advantages'")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
        ),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_memory_that_cannot_be_had(tmp_path, model, monkeypatch, error):
    def broken(_order):
        raise error

    monkeypatch.setattr(sessions, "train", broken)
    found = outcome(tmp_path, model)
    assert_failed(found, reason="OutOfMemory", exit_code=1, words="lower spec.training.microBatchSize")


def test_a_disk_that_is_full(tmp_path, model, monkeypatch):
    def broken(_order):
        raise OSError(errno.ENOSPC, "No space left on device", "/work/checkpoint-1")

    monkeypatch.setattr(sessions, "train", broken)
    words = "there is no room for /work/checkpoint-1 on this machine or in this pod"
    assert_failed(outcome(tmp_path, model), reason="StorageFull", exit_code=75, words=words)


def test_a_disk_that_a_checkpoint_has_filled(tmp_path, model, monkeypatch):
    """Without the last byte there would be no word of the outcome either."""
    folder = tmp_path / "full"
    folder.mkdir()

    def broken(order):
        for step, waits in ((1, True), (2, False)):
            (order.output / f"checkpoint-{step}").mkdir(parents=True)
            if waits:
                order.ready.mkdir(parents=True, exist_ok=True)
                (order.ready / f"checkpoint-{step}").touch()
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")

    monkeypatch.setattr(sessions, "train", broken)
    found = outcome(folder, model)
    assert_failed(found, reason="StorageFull", exit_code=75, words="there is no room on this machine")
    assert [path.name for path in folder.rglob("checkpoint-*") if path.is_dir()] == ["checkpoint-1"]


def test_not_every_error_is_one_of_memory():
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_replicas_that_differ_are_an_end_without_a_model(tmp_path, model, monkeypatch):
    gathered = sessions.gather_object

    def with_another_process(values):
        return [*gathered(values), "0" * 64] if isinstance(values[0], str) else gathered(values)

    monkeypatch.setattr(sessions, "gather_object", with_another_process)
    order = make_order(tmp_path, model, maxSteps=1)
    with taking_checkpoints(order, tmp_path):
        found = run(order)
    assert_failed(found, reason="TrainerCrashed", exit_code=70, words="2 different sets of weights")
    assert not order.model.exists()
