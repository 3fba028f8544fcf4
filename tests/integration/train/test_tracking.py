"""Trackers get every step once, also of a training that was interrupted, and none of them can end one."""

from __future__ import annotations

import json
import signal
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from reflection_trainer.train.metrics import read_metrics
from reflection_trainer.train.tracking import settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from ...support.mlflow_server import MlflowServer
from ...support.stage_runs import run_stage, start_stage
from . import tiny
from .stages import FOLDER, GUARD_SECONDS, digest, prepared, steps_done, wait_until

pytestmark = [pytest.mark.training, pytest.mark.slow]

STEPS = {"maxSteps": 30, "checkpoint": {"everySteps": 7}, "retryMaxTokens": 1}
ALL = ["tensorboard", "wandb", "mlflow", "trackio"]
OFFLINE = {"WANDB_MODE": "offline"}
TITLE = "default/tiny-01234567 round 1"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """Storage after a training with all trackers that was stopped on the way and went on in another pod."""
    folder = tmp_path_factory.mktemp("tracked")
    config = prepared(folder, model, **STEPS, reportTo=ALL)
    first = start_stage(config, folder / "1", environment=OFFLINE)
    wait_until(lambda: steps_done(folder / "1") >= 10, first)
    first.send_signal(signal.SIGTERM)
    _, log = first.communicate(timeout=GUARD_SECONDS)
    assert first.returncode == 143, log
    second = run_stage(config, folder / "2", environment=OFFLINE)
    assert second.exit_code == 0, second.stderr
    assert "going on from checkpoint-" in second.stderr
    assert "spec.training.reportTo" not in second.stderr
    return folder / "storage" / FOLDER


@pytest.fixture
def rewards(tracked: Path) -> list[float]:
    """Of each step, as the metrics file has them."""
    lines = read_metrics(tracked / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 31))
    return [line["reward"] for line in lines]


def assert_told(told: list[tuple[int, float]], rewards: list[float]) -> None:
    assert [step for step, _ in told] == list(range(1, 31))
    assert [reward for _, reward in told] == pytest.approx(rewards, rel=1e-6)


def test_tensorboard_shows_every_step_once(tracked: Path, rewards: list[float]) -> None:
    folder = tracked / "tracking/tensorboard"
    events = EventAccumulator(str(folder)).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("train/reward")]
    assert_told(shown, rewards)


def wandb_records(data: bytes) -> Iterator[bytes]:
    """The records of a W&B file: LevelDB's log format after seven bytes of their own."""
    block, place, parts = 32768, 7, b""
    while place < len(data):
        if block - place % block < 7:  # too little for a header
            place += block - place % block
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_weights_and_biases_has_every_step_in_a_run_that_can_be_synchronised(
    tracked: Path, rewards: list[float]
) -> None:
    file = next(tracked.glob("tracking/wandb/offline-run-*/*.wandb"))
    told, runs = [], []
    for data in wandb_records(file.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.HasField("run"):
            runs.append(record.run)
        if record.HasField("history"):
            items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            told.append((int(items["train/global_step"]), float(items["train/reward"])))
    assert_told(told, rewards)
    assert {(run.run_id, run.display_name, run.project) for run in runs} == {
        ("0123456789-1", TITLE, "reflect-operator")
    }


def test_mlflow_has_one_run_with_every_step(
    tracked: Path, rewards: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient((tracked / "tracking/mlflow").as_uri())
    experiment = client.get_experiment_by_name("reflect-operator")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (TITLE, "FINISHED")
    assert (run.data.tags["namespace"], run.data.tags["name"], run.data.tags["round"]) == (
        "default",
        "tiny",
        "1",
    )
    history = client.get_metric_history(run.info.run_id, "reward")
    assert_told(sorted((point.step, point.value) for point in history), rewards)


def test_trackio_has_every_step(tracked: Path, rewards: list[float]) -> None:
    with sqlite3.connect(tracked / "tracking/trackio/reflect-operator.db") as database:
        rows = database.execute("SELECT run_name, metrics FROM metrics ORDER BY id").fetchall()
    told = defaultdict(list)
    for name, metrics in rows:
        figures = json.loads(metrics)
        told[name].append((figures["train/global_step"], figures["train/reward"]))
    assert_told(told[TITLE], rewards)


def test_the_weights_are_those_of_a_training_that_nobody_follows(
    tracked: Path, tmp_path: Path, model: Path
) -> None:
    run = run_stage(prepared(tmp_path, model, **STEPS), tmp_path / "scratch")
    assert run.exit_code == 0, run.stderr
    assert digest(tmp_path / "storage" / FOLDER) == digest(tracked)
    assert not (tmp_path / "storage" / FOLDER / "tracking").exists()


def test_a_tracker_that_cannot_be_reached_is_left_out(tmp_path: Path, model: Path) -> None:
    config = prepared(tmp_path, model, maxSteps=3, retryMaxTokens=1, reportTo=["mlflow", "tensorboard"])
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    run = run_stage(config, tmp_path / "scratch", environment=away)
    assert run.exit_code == 0, run.stderr
    (warning,) = [line for line in run.stderr.splitlines() if "spec.training.reportTo" in line]
    assert "mlflow gets no figures from here on, training goes on without it" in warning
    events = EventAccumulator(str(tmp_path / "storage" / FOLDER / "tracking/tensorboard")).Reload()
    assert [event.step for event in events.Scalars("train/reward")] == [1, 2, 3]


def test_a_training_that_is_killed_goes_on_in_the_same_run_of_a_server(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    config = prepared(tmp_path, model, **STEPS, reportTo=["mlflow"])
    storage = tmp_path / "storage" / FOLDER
    with MlflowServer(tmp_path / "server") as server:
        there = {"MLFLOW_TRACKING_URI": server.uri}
        first = start_stage(config, tmp_path / "1", environment=there)
        wait_until(lambda: list(storage.glob("checkpoint-*/manifest.json")), first)
        first.kill()
        first.communicate()
        assert steps_done(tmp_path / "1") < STEPS["maxSteps"]
        second = run_stage(config, tmp_path / "2", environment=there)
    assert second.exit_code == 0, second.stderr
    assert "going on from checkpoint-" in second.stderr
    assert "spec.training.reportTo" not in second.stderr
    assert server.calls.count("CreateRun") == 1
    assert not (storage / "tracking").exists(), "nothing is written beside it"
    client = MlflowClient((tmp_path / "server").as_uri())
    experiment = client.get_experiment_by_name("reflect-operator")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (TITLE, "FINISHED")
    told = {(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "reward")}
    expected = [line["reward"] for line in read_metrics(storage / "metrics.jsonl")]
    assert_told(sorted(told), expected)


def test_a_tracker_that_is_not_installed_is_refused(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = settings.find_spec
    monkeypatch.setattr(settings, "find_spec", lambda name: None if name == "wandb" else there(name))
    settings.check_installed(["mlflow"])
    with pytest.raises(settings.BadConfig) as raised:
        settings.check_installed(["mlflow", "wandb"])
    assert raised.value.message.startswith(
        "spec.training.reportTo: wandb is not installed here: use an image with"
    )


def test_what_the_environment_says_goes_first(tmp_path: Path, model: Path) -> None:
    config = tiny.config(model, tmp_path, reportTo=ALL)
    own = {"WANDB_PROJECT": "ours", "MLFLOW_TRACKING_URI": "https://mlflow.example.com"}
    values = settings.environment(config, tmp_path, own)
    assert not values.keys() & own.keys()
    assert "MLFLOW_ALLOW_FILE_STORE" not in values
    assert values["WANDB_RESUME"] == "allow"
    assert settings.environment(tiny.config(model, tmp_path), tmp_path, {}) == {}
    assert settings.has_server("mlflow", own)
    for here in (
        "",
        "/mnt/pvc/runs/mlflow",
        "sqlite:////mnt/pvc/runs/mlflow.db",
        "file:///mnt/pvc/runs/mlflow",
    ):
        assert not settings.has_server("mlflow", {"MLFLOW_TRACKING_URI": here})
    assert not settings.needs_hub(config, own)
    assert settings.needs_hub(config, {"TRACKIO_SPACE_ID": "we/runs"})
