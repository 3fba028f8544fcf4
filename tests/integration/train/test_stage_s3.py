"""The train stage with its checkpoints on a real S3 server: in the background, whole, kept, found again, saved on request."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from reflection_api.contract import StageConfig
from reflection_api.reasons import Reason
from reflection_api.spec import StorageSpec
from reflection_trainer.context import StageContext
from reflection_trainer.storage import Artifacts, open_store

from ...support import faults
from ...support.s3_server import ROOT
from ...support.stage_runs import run_stage, start_stage
from . import tiny
from .stages import FOLDER, GUARD_SECONDS, steps_done, wait_until

pytestmark = [pytest.mark.training, pytest.mark.slow]

STEPS = {"maxSteps": 20, "checkpoint": {"everySteps": 5, "keepLast": 2}, "retryMaxTokens": 1}


@pytest.fixture
def bucket(s3_server, monkeypatch) -> str:
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REFLECT_STORAGE_PATIENCE", "30")
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
def stored(s3_server, bucket) -> Callable[[], set[str]]:
    """Names of everything below the train folder; the server keeps objects as files."""
    folder = s3_server.objects / bucket / "runs" / FOLDER
    return lambda: {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def checkpoints(names: set[str]) -> set[str]:
    return {name.split("/")[0] for name in names if name.endswith("/manifest.json")} - {"model"}


def weights(s3_server, bucket) -> str:
    file = s3_server.objects / bucket / "runs" / FOLDER / "model" / "model.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_newest_intact_checkpoint_is_gone_on_from(prepared, stored, s3_server, bucket, tmp_path) -> None:
    whole = run_stage(prepared(), tmp_path / "1")
    assert whole.exit_code == 0, whole.stderr
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}, "keepLast"
    expected = weights(s3_server, bucket)

    client, prefix = s3_server.client(), f"runs/{FOLDER}"
    for name in stored():
        if name.startswith("model/"):
            client.delete_object(Bucket=bucket, Key=f"{prefix}/{name}")
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
    assert weights(s3_server, bucket) == expected
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}
    assert not any(name.startswith("checkpoint-19/") for name in stored())
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


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
    assert before <= 7, "it was handed over at once"
    assert after >= before + 3
    assert checkpoints(stored()) == {"checkpoint-15", "checkpoint-20"}


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


def test_a_storage_that_stays_away_ends_the_training(
    prepared, stored, s3_proxy, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("REFLECT_STORAGE_PATIENCE", "1")
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
