"""The train stage with its checkpoints on a real S3 server: in the background, whole, kept, found again, saved on request."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import STORAGE_PATIENCE_VARIABLE, StageConfig
from reflection_api.reasons import Reason
from reflection_api.spec import StorageSpec
from reflection_operator.settings import OperatorSettings
from reflection_trainer.context import StageContext
from reflection_trainer.patience import Patience
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.train.order import WorkOrder

from ...support import faults
from ...support.s3_server import ROOT
from ...support.stage_runs import run_stage, start_stage
from . import tiny
from .stages import FOLDER, GUARD_SECONDS, steps_done, wait_until, work_of

pytestmark = [pytest.mark.training, pytest.mark.slow]

OUTAGE_S = 60
STEPS = {"maxSteps": 20, "checkpoint": {"everySteps": 5, "keepLast": 2}, "retryMaxTokens": 1}


@pytest.fixture
def bucket(s3_server, monkeypatch) -> str:
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(STORAGE_PATIENCE_VARIABLE, "30")
    return s3_server.new_bucket()


@pytest.fixture
def prepared(s3_proxy, bucket, model, tmp_path) -> Callable[..., StageConfig]:
    """Configurations whose dataset of failures is in the bucket; requests go through the proxy."""
    storage = StorageSpec(uri=f"s3://{bucket}/runs", endpoint=s3_proxy.endpoint)
    work = tmp_path / "verify"
    work.mkdir()

    def config(**training: Any) -> StageConfig:
        return tiny.config(model, tmp_path, **{**STEPS, **training}).model_copy(update={"storage": storage})

    made = config()
    context = StageContext(made, Artifacts(open_store(made.run_uri, storage)), work, 0)
    tiny.store_failures(context, model, tiny.failures(10))
    return config


@pytest.fixture
def trained(s3_server, bucket) -> Path:
    """The train folder; the server keeps objects as files."""
    return Path(s3_server.objects / bucket / "runs" / FOLDER)


@pytest.fixture
def stored(trained) -> Callable[[], set[str]]:
    """Names of everything below the train folder."""
    return lambda: {file.relative_to(trained).as_posix() for file in trained.rglob("*") if file.is_file()}


@pytest.fixture
def forget(stored, s3_server, bucket) -> Callable[[str], None]:
    """Deletes what is below the train folder and begins so."""

    def delete(start: str) -> None:
        for name in stored():
            if name.startswith(start):
                s3_server.client().delete_object(Bucket=bucket, Key=f"runs/{FOLDER}/{name}")

    return delete


def checkpoints(names: set[str]) -> set[str]:
    return {name.split("/")[0] for name in names if name.endswith("/manifest.json")} - {"model"}


def weights(trained: Path) -> str:
    return hashlib.sha256((trained / "model" / "model.safetensors").read_bytes()).hexdigest()


def damage(file: Path) -> None:
    """Change a byte where the server keeps it. The checksum that it was stored with stays."""
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_the_newest_intact_checkpoint_is_gone_on_from(
    prepared, stored, trained, forget, s3_server, bucket, tmp_path
) -> None:
    whole = run_stage(prepared(), tmp_path / "1")
    assert whole.exit_code == 0, whole.stderr
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}, "keepLast"
    expected = weights(trained)

    client, prefix = s3_server.client(), f"runs/{FOLDER}"
    forget("model/")
    client.put_object(Bucket=bucket, Key=f"{prefix}/checkpoint-20/optimizer.pt", Body=b"damaged")
    # An attempt that was killed while it saved, and one that was killed in the middle of a file.
    client.put_object(Bucket=bucket, Key=f"{prefix}/checkpoint-19/model.safetensors", Body=b"half")
    client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}/checkpoint-18/optimizer.pt")

    again = run_stage(prepared(), tmp_path / "2")
    assert again.exit_code == 0, again.stderr
    assert "checkpoint of step 20 is skipped: storage: s3://" in again.stderr
    assert "optimizer.pt does not match its manifest" in again.stderr
    assert "going on from checkpoint-15" in again.stderr
    assert "removed 1 unfinished writes of an earlier attempt" in again.stderr
    assert weights(trained) == expected
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}
    assert not any(name.startswith("checkpoint-19/") for name in stored())
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_where_the_disk_of_the_storage_decays_the_first_checkpoint_serves(
    prepared, stored, trained, forget, bucket, tmp_path
) -> None:
    """Of the newest a file is damaged, of the one before the manifest: what is sent does not match its own checksum."""
    settings = {"maxSteps": 3, "checkpoint": {"everySteps": 1, "keepLast": 3}}
    whole = run_stage(prepared(**settings), tmp_path / "1")
    assert whole.exit_code == 0, whole.stderr
    expected = weights(trained)
    forget("model/")
    damage(trained / "checkpoint-3" / "optimizer.pt")
    damage(trained / "checkpoint-2" / "manifest.json")
    again = run_stage(prepared(**settings), tmp_path / "2")
    assert again.exit_code == 0, again.stderr
    for file in ("checkpoint-3/optimizer.pt", "checkpoint-2/manifest.json"):
        step = file[len("checkpoint-")]
        assert f"checkpoint of step {step} is skipped: {damaged(bucket, f'train/{file}')}" in again.stderr
    assert "going on from checkpoint-1" in again.stderr
    assert weights(trained) == expected
    assert checkpoints(stored()) == {"checkpoint-1", "checkpoint-2", "checkpoint-3"}


def test_a_damaged_dataset_is_named_and_not_trained_on(prepared, trained, bucket, tmp_path) -> None:
    (shard,) = (trained.parent / "verify").glob("*.parquet")
    damage(shard)
    run = run_stage(prepared(), tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (65, Reason.ARTIFACT_CORRUPT)
    assert run.result.message.startswith(damaged(bucket, f"verify/{shard.name}"))
    assert "Traceback" not in run.stderr
    assert steps_done(tmp_path / "scratch") == 0


def damaged(bucket: str, name: str) -> str:
    """What is said of an object of the round."""
    uri = f"s3://{bucket}/runs/{FOLDER.removesuffix('/train')}/{name}"
    return f"storage: {uri}: what arrives does not match the checksum that it was stored with"


def test_training_goes_on_while_a_checkpoint_is_on_its_way(prepared, stored, s3_proxy, tmp_path) -> None:
    """The first checkpoint's weights are held back until three more steps are done."""
    scratch, seen = tmp_path / "scratch", []

    def held_back(exchange: faults.Exchange) -> None:
        before, deadline = steps_done(scratch), time.monotonic() + GUARD_SECONDS
        while steps_done(scratch) < before + 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append((before, steps_done(scratch)))
        exchange.answer(exchange.forward())

    s3_proxy.inject(held_back, method="PUT", target="checkpoint-5/model.safetensors")
    run = run_stage(prepared(), scratch)
    assert run.exit_code == 0, run.stderr
    ((before, after),) = seen
    assert after >= before + 3
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}


@pytest.mark.parametrize("on_its_way", ["checkpoint-20", "model"])
def test_told_to_stop_when_all_steps_are_done_it_stores_what_is_on_its_way(
    prepared, stored, s3_proxy, tmp_path, on_its_way
) -> None:
    """The last checkpoint or the model is held back until the stage has heard of it."""
    order = WorkOrder.model_construct(control=work_of(tmp_path / "scratch") / "control")
    held, heard = threading.Event(), threading.Event()

    def held_back(exchange: faults.Exchange) -> None:
        held.set()
        heard.wait(GUARD_SECONDS)
        exchange.answer(exchange.forward())

    s3_proxy.inject(held_back, method="PUT", target=f"{on_its_way}/model.safetensors")
    process = start_stage(prepared(), tmp_path / "scratch")
    wait_until(lambda: held.is_set() and steps_done(tmp_path / "scratch") == STEPS["maxSteps"], process)
    process.send_signal(signal.SIGTERM)
    wait_until(order.stop_file.exists, process)
    heard.set()
    _, log = process.communicate(timeout=GUARD_SECONDS)
    assert process.returncode == 0, log
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}
    assert "model/manifest.json" in stored()


def test_told_to_stop_before_the_training_it_ends_at_once(prepared, s3_proxy, tmp_path) -> None:
    """In a container it is process 1, to which no signal gets that it does not handle: so it must not be left to the kernel."""
    s3_proxy.down = True
    process = start_stage(prepared(), tmp_path / "scratch")
    wait_until(lambda: s3_proxy.refused, process)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=GUARD_SECONDS)
    assert process.returncode == 143, log
    assert "Traceback" not in log


def test_asked_to_stop_in_an_outage_it_saves_when_the_storage_is_back(
    prepared, stored, s3_proxy, tmp_path
) -> None:
    process = start_stage(prepared(maxSteps=5000, checkpoint={"everySteps": 4000}), tmp_path / "scratch")
    wait_until(lambda: steps_done(tmp_path / "scratch") >= 3, process)
    s3_proxy.down = True
    process.send_signal(signal.SIGTERM)
    refused = s3_proxy.refused
    wait_until(lambda: s3_proxy.refused >= refused + 2, process)
    s3_proxy.down = False
    _, log = process.communicate(timeout=GUARD_SECONDS)
    assert process.returncode == 143, log
    (saved,) = checkpoints(stored())
    assert f"after step {saved.removeprefix('checkpoint-')} of 5,000, which is saved" in log


def test_an_outage_of_a_minute_costs_a_minute_and_nothing_else(
    prepared, trained, forget, s3_proxy, tmp_path, monkeypatch
) -> None:
    """It begins while a checkpoint is on its way, with the patience that pods have."""
    monkeypatch.delenv(STORAGE_PATIENCE_VARIABLE)
    calm = run_stage(prepared(), tmp_path / "1")
    assert calm.exit_code == 0, calm.stderr
    expected = weights(trained)
    forget("")

    def outage(exchange: faults.Exchange) -> None:
        s3_proxy.down = True
        threading.Timer(OUTAGE_S, lambda: setattr(s3_proxy, "down", False)).start()
        raise faults.Reset

    s3_proxy.inject(outage, method="PUT", target="checkpoint-5/model.safetensors")
    started = time.monotonic()
    run = run_stage(prepared(), tmp_path / "2")
    assert run.exit_code == 0, run.stderr
    assert time.monotonic() - started > OUTAGE_S
    assert s3_proxy.refused > 0
    assert "s3:PutObject: Connection was closed" in run.stderr
    assert "trying again for up to 180 s" in run.stderr
    assert weights(trained) == expected


def test_told_to_stop_with_a_checkpoint_on_its_way_it_leaves_long_before_it_would_be_killed(
    prepared, stored, s3_proxy, tmp_path
) -> None:
    told, on_its_way = threading.Event(), threading.Event()

    def held_back(exchange: faults.Exchange) -> None:
        on_its_way.set()
        assert told.wait(GUARD_SECONDS)
        exchange.answer(exchange.forward())

    s3_proxy.inject(held_back, method="PUT", target="checkpoint-5/model.safetensors")
    config = prepared(maxSteps=5000, checkpoint={"everySteps": 5, "keepLast": 3})
    process = start_stage(config, tmp_path / "scratch")
    wait_until(on_its_way.is_set, process)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    told.set()
    _, log = process.communicate(timeout=GUARD_SECONDS)
    took = time.monotonic() - asked
    assert process.returncode == 143, log
    grace = OperatorSettings().training_grace_seconds
    assert took < grace / 10, "a checkpoint of a large model takes minutes"
    steps = sorted(int(name.removeprefix("checkpoint-")) for name in checkpoints(stored()))
    assert steps[0] == 5
    assert f"after step {steps[-1]} of 5,000, which is saved" in log
    assert 2 * Patience().seconds < grace, "an outage that begins then is waited for, too"


def test_a_storage_that_stays_away_ends_the_training(
    prepared, stored, s3_proxy, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv(STORAGE_PATIENCE_VARIABLE, "1")
    process = start_stage(prepared(maxSteps=5000), tmp_path / "scratch")
    wait_until(lambda: checkpoints(stored()), process)
    s3_proxy.down = True
    _, log = process.communicate(timeout=GUARD_SECONDS)
    assert process.returncode == 75, log
    assert "did not do s3:" in log
    assert Reason.STORAGE_UNAVAILABLE in (tmp_path / "scratch" / "termination-log").read_text()


def test_a_denied_prefix_ends_the_stage_before_it_trains(
    prepared, s3_proxy, s3_server, bucket, tmp_path, monkeypatch
) -> None:
    user = s3_server.new_user()
    s3_server.allow(bucket, user, {"": "s3:*", "*": "s3:GetObject"})
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    run = run_stage(prepared(), tmp_path / "scratch")
    assert (run.exit_code, run.result.reason) == (78, Reason.STORAGE_DENIED)
    assert "access denied (403) for s3:PutObject with key AKIA..." in run.result.message
    assert steps_done(tmp_path / "scratch") == 0
    assert "Traceback" not in run.stderr
