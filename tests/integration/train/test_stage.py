"""The whole stage as a process: launched, stopped, killed, resumed, refused."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from reflection_api.contract import ProgressReport, StageConfig, StageResult
from reflection_api.reasons import Reason
from reflection_trainer.train.metrics import read_metrics
from reflection_trainer.train.order import Outcome
from transformers import AutoModelForCausalLM, AutoTokenizer

from ...support.chance import drawn_seed
from ...support.ports import free_ports
from ...support.stage_runs import check_full_is_told, check_read_only_is_told, run_stage, start_stage, stored
from . import tiny
from .stages import FOLDER, GUARD_SECONDS, digest, prepared, steps_done, wait_until, work_of

pytestmark = [pytest.mark.training, pytest.mark.slow]

GONE_SECONDS = 10


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=GONE_SECONDS)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def result_of(scratch: Path) -> StageResult:
    return StageResult.model_validate_json((scratch / "termination-log").read_text())


STEPS = {"maxSteps": 60, "checkpoint": {"everySteps": 7, "keepLast": 2}, "retryMaxTokens": 1}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    run = run_stage(prepared(folder, model, **STEPS), folder / "scratch")
    assert run.exit_code == 0, run.stderr
    return folder


def test_a_training_leaves_a_model_its_figures_and_the_last_checkpoints(uninterrupted):
    storage = uninterrupted / "storage" / FOLDER
    assert {path.name for path in storage.iterdir()} == {
        "checkpoint-56", "checkpoint-60", "metrics.jsonl", "metrics.jsonl.manifest.json", "model",
    }  # fmt: skip
    found = AutoModelForCausalLM.from_pretrained(storage / "model")
    tokenizer = AutoTokenizer.from_pretrained(storage / "model")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "say red"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    assert found.generate(**prompt, max_new_tokens=4).shape[0] == 1
    assert "| Failed answers | 10 |" in (storage / "model" / "README.md").read_text()
    assert [line["step"] for line in read_metrics(storage / "metrics.jsonl")] == list(range(1, 61))


def test_it_reports_its_result_and_its_progress(uninterrupted):
    result = result_of(uninterrupted / "scratch")
    assert (result.outcome, result.reason) == ("Succeeded", Reason.COMPLETED)
    assert result.artifacts[0].uri.endswith(f"/storage/{FOLDER}/model")
    expected = {
        "reward", "steps", "deadGroupShare", "reflectionTokens", "truncatedShare", "leakShare", "seconds", "entropy", "kl",
    }  # fmt: skip
    assert set(result.metrics) == expected
    assert result.metrics["steps"] == 60
    progress = ProgressReport.model_validate_json((uninterrupted / "scratch" / "progress.json").read_text())
    assert (progress.done, progress.total, progress.unit) == (60, 60, "steps")
    assert {"reward", "deadGroupShare"} <= set(progress.metrics)
    assert progress.checkpoint_step in (49, 56)


def test_a_model_that_is_there_already_is_not_trained_again(uninterrupted, model):
    config = tiny.config(model, uninterrupted / "storage", **STEPS)
    before = stored(uninterrupted / "storage")
    run = run_stage(config, uninterrupted / "again")
    assert run.exit_code == 0
    assert run.result == result_of(uninterrupted / "scratch")
    assert "the model is there already" in run.stderr
    assert stored(uninterrupted / "storage") == before


def test_other_settings_do_not_take_a_model_for_their_own(uninterrupted, model):
    config = tiny.config(model, uninterrupted / "storage", **STEPS, seed=1)
    run = run_stage(config, uninterrupted / "other")
    assert (run.exit_code, run.result.reason) == (78, Reason.DATASET_MISMATCH)
    assert "/model was made with other settings: training.seed: 0, not 1" in run.result.message


def test_stopped_and_killed_at_any_step_it_ends_with_the_same_weights(tmp_path, model, uninterrupted):
    rng = random.Random(drawn_seed())
    stop_at, kill_at = rng.randrange(2, 25), rng.randrange(30, 55)
    config = prepared(tmp_path, model, **STEPS)

    first = start_stage(config, tmp_path / "1")
    wait_until(lambda: steps_done(tmp_path / "1") >= stop_at, first)
    processes = family(first)
    first.send_signal(signal.SIGTERM)
    _, log = first.communicate(timeout=GUARD_SECONDS)
    stopped = result_of(tmp_path / "1")
    assert (first.returncode, stopped.outcome, stopped.reason) == (143, "Failed", Reason.DISRUPTED), log
    assert_gone(processes)
    saved = int(stopped.message.split("after step ")[1].split()[0])
    assert saved >= stop_at
    assert (tmp_path / "storage" / FOLDER / f"checkpoint-{saved}" / "manifest.json").exists()

    second = start_stage(config, tmp_path / "2")
    wait_until(lambda: steps_done(tmp_path / "2") >= kill_at, second)
    processes = family(second)
    assert len(processes) == 2, "the launcher and the worker"
    second.kill()
    second.communicate()
    assert_gone(processes)

    third = run_stage(config, tmp_path / "3")
    assert third.exit_code == 0, third.stderr
    assert "going on from checkpoint-" in third.stderr
    storage = tmp_path / "storage" / FOLDER
    assert digest(storage) == digest(uninterrupted / "storage" / FOLDER), (
        f"stopped at {saved}, killed at {kill_at}"
    )
    lines = read_metrics(storage / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 61))
    expected = read_metrics(uninterrupted / "storage" / FOLDER / "metrics.jsonl")
    assert [line["reward"] for line in lines] == [line["reward"] for line in expected]


def outcomes(scratch: Path, index: int = 0) -> list[Outcome]:
    files = sorted((work_of(scratch, index) / "control").glob("outcome-*.json"))
    return [Outcome.model_validate_json(file.read_text()) for file in files]


def test_two_processes_train_one_model(tmp_path, model):
    config = prepared(tmp_path, model, processesPerNode=2, microBatchSize=4, maxSteps=3)
    run = run_stage(config, tmp_path / "scratch")
    assert run.exit_code == 0, run.stderr
    found = outcomes(tmp_path / "scratch")
    assert [outcome.processes for outcome in found] == [2, 2]
    assert len({outcome.checksum for outcome in found}) == 1
    checkpoint = tmp_path / "storage" / FOLDER / "checkpoint-3"
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in checkpoint.iterdir()}
    lines = read_metrics(tmp_path / "storage" / FOLDER / "metrics.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3], "one process writes them"
    assert all(line["tokensReflect"] == pytest.approx(line["reflectionTokens"] * 32) for line in lines), (
        "both count"
    )


def two_machines(config: StageConfig, folder: Path) -> list[subprocess.Popen[str]]:
    """Both parts of a training on two machines, with a meeting place."""
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_ports(1)[0])}
    return [start_stage(config, folder / str(index), index=index, environment=meeting) for index in range(2)]


def ends_of(machines: list[subprocess.Popen[str]]) -> list[str]:
    """Their logs, when both have ended."""
    return [machine.communicate(timeout=GUARD_SECONDS)[1] for machine in machines]


def test_one_of_two_machines_is_told_to_stop_and_both_save(tmp_path, model):
    settings = {"nodes": 2, "maxSteps": 20, "checkpoint": {"everySteps": 100}, "retryMaxTokens": 1}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    machines = two_machines(prepared(whole, model, **settings), whole)
    logs = ends_of(machines)
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(logs)

    config = prepared(broken, model, **settings)
    machines = two_machines(config, broken / "1")
    wait_until(lambda: steps_done(broken / "1/0") >= 5, machines[0])
    machines[1].send_signal(signal.SIGTERM)
    logs = ends_of(machines)
    assert [machine.returncode for machine in machines] == [143, 143], "\n".join(logs)
    said = [result_of(broken / "1" / str(index)) for index in range(2)]
    assert {result.reason for result in said} == {Reason.DISRUPTED}
    assert len({result.message for result in said}) == 1, "one decision, after one step"
    saved = int(said[0].message.split("after step ")[1].split()[0])
    assert (broken / "storage" / FOLDER / f"checkpoint-{saved}" / "manifest.json").exists()

    machines = two_machines(config, broken / "2")
    logs = ends_of(machines)
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(logs)
    assert f"going on from checkpoint-{saved}" in logs[1]
    assert digest(broken / "storage" / FOLDER) == digest(whole / "storage" / FOLDER)


def test_two_machines_train_one_model(tmp_path, model):
    """Of five groups one is sampled half by each."""
    config = prepared(tmp_path, model, nodes=2, maxSteps=3, failuresPerStep=5)
    machines = two_machines(config, tmp_path)
    logs = ends_of(machines)
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(logs)
    found = [outcome for index in range(2) for outcome in outcomes(tmp_path / str(index), index)]
    assert [outcome.processes for outcome in found] == [2, 2]
    assert len({outcome.checksum for outcome in found}) == 1
    assert [len(result_of(tmp_path / str(index)).artifacts) for index in range(2)] == [1, 0]
    checkpoint = tmp_path / "storage" / FOLDER / "checkpoint-3"
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in checkpoint.iterdir()}


def test_several_machines_must_be_told_where_to_meet(tmp_path, model):
    run = run_stage(prepared(tmp_path, model, nodes=2), tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (78, Reason.INVALID_SPEC)
    assert "spec.training.nodes is 2, but MASTER_ADDR and MASTER_PORT do not say" in run.result.message


def test_a_worker_that_is_killed_is_reported_as_killed(tmp_path, model):
    process = start_stage(prepared(tmp_path, model, maxSteps=5000), tmp_path / "scratch")
    wait_until(lambda: steps_done(tmp_path / "scratch") >= 1, process)
    launcher, worker = family(process)
    worker.kill()
    _, log = process.communicate(timeout=GUARD_SECONDS)
    result = result_of(tmp_path / "scratch")
    assert (process.returncode, result.reason) == (137, Reason.TRAINER_CRASHED), log
    assert result.message.startswith("the training process ended without a word")
    assert_gone([launcher, worker])
    assert not [name for name in stored(tmp_path / "storage") if "/model/" in name]


def test_storage_that_fails_ends_the_training(tmp_path, model):
    config = prepared(tmp_path, model, maxSteps=5000, checkpoint={"everySteps": 5})
    (tmp_path / "storage" / FOLDER).mkdir()
    (tmp_path / "storage" / FOLDER / "checkpoint-5").write_text("a file where a folder must be")
    process = start_stage(config, tmp_path / "scratch")
    wait_until(lambda: len(family(process)) == 2, process)
    processes = family(process)
    _, log = process.communicate(timeout=GUARD_SECONDS)
    result = result_of(tmp_path / "scratch")
    assert (process.returncode, result.reason) == (78, Reason.STORAGE_DENIED), log
    assert "/checkpoint-5/" in result.message
    assert_gone(processes)


def test_a_storage_that_is_read_only(tmp_path, model):
    config = prepared(tmp_path, model, maxSteps=2, checkpoint={"everySteps": 1})
    check_read_only_is_told(config, tmp_path / "storage", tmp_path / "scratch")


def test_a_storage_that_is_full(tmp_path, model):
    """With room for a part of the first checkpoint."""
    config = prepared(tmp_path, model, maxSteps=2, checkpoint={"everySteps": 1})
    left = check_full_is_told(config, tmp_path / "storage", tmp_path / "scratch", room=16)
    assert {Path(path).parent.name for path in left} == {"checkpoint-1"}


def test_a_model_that_cannot_be_used_is_refused_before_anything_is_written(tmp_path):
    folder = tiny.write_model(tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    run = run_stage(prepared(tmp_path, folder), tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (78, Reason.INVALID_MODEL)
    assert run.result.message.startswith(f"spec.model.uri: file://{folder} has no chat template")
    assert "Traceback" not in run.stderr
    assert not [name for name in stored(tmp_path / "storage") if "/train/" in name]


def test_a_policy_that_changed_since_its_failures_were_collected_is_refused(tmp_path):
    folder = tiny.write_model(tmp_path / "model")
    config = prepared(tmp_path, folder)
    tiny.write_model(folder, context=32)
    run = run_stage(config, tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (78, Reason.DATASET_MISMATCH)
    assert "was made with other settings: model.sha256:" in run.result.message


def test_without_a_dataset_there_is_nothing_to_train_on(tmp_path, model):
    run = run_stage(tiny.config(model, tmp_path / "storage"), tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (65, Reason.ARTIFACT_CORRUPT)
    assert "holds no complete dataset: run the verify stage" in run.result.message
