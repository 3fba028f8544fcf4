"""The whole loop with everything in S3, over a connection that fails, and killed in between."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
from reflection_api.layout import MANIFEST
from reflection_api.spec import StorageSpec
from reflection_operator.local.processes import end_marked
from reflection_trainer.storage import Artifacts, open_store

from ...support.chance import drawn_seed
from ...support.faults import Chaos
from ...support.s3_server import ROOT
from .loop import ROOT as REPOSITORY
from .loop import Loop

GUARD = 600.0
SHARE_OF_FAULTS = 0.05
EXAMPLE = REPOSITORY / "examples/countdown"


@pytest.fixture
def bucket(s3_server, monkeypatch) -> str:
    """A bucket with the example's model and prompts."""
    for name, value in {**ROOT.environment, "REFLECT_STORAGE_PATIENCE": "30"}.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.new_bucket()
    for file in (*(EXAMPLE / "model").iterdir(), *(EXAMPLE / "prompts").iterdir()):
        key = f"inputs/{file.parent.name}/{file.name}"
        s3_server.client().upload_file(str(file), bucket, key)
    return bucket


@pytest.fixture
def loop(tmp_path, s3_server, s3_proxy, bucket) -> Loop:
    made = Loop(
        tmp_path,
        **{
            "spec.storage.uri": f"s3://{bucket}/runs",
            "spec.storage.endpoint": s3_proxy.endpoint,
            "spec.model.uri": f"s3://{bucket}/inputs/model",
            "spec.task.prompts.uri": f"s3://{bucket}/inputs/prompts/train.jsonl",
            "spec.evaluation.prompts.uri": f"s3://{bucket}/inputs/prompts/heldout.jsonl",
        },
    )
    made.storage = s3_server.objects / bucket / "runs"  # the server keeps objects as files
    return made


def until(condition, what):
    deadline = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(1200, func_only=True)
def test_it_ends_with_the_same_weights(undisturbed, loop, tmp_path, s3_server, s3_proxy, bucket) -> None:
    s3_proxy.chaos = Chaos(random.Random(drawn_seed()), SHARE_OF_FAULTS)
    runner = loop.start(tmp_path / "log")
    try:
        until(lambda: list(loop.storage.glob(f"*/*/round-1/train/checkpoint-*/{MANIFEST}")), "a checkpoint")
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        end_marked(loop.mark)
        done = loop.run()
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        runner.kill()
        runner.wait()
        end_marked(loop.mark)
    s3_proxy.chaos = None
    reasons = [event["reason"] for event in loop.events()]
    assert reasons.count("FailuresDatasetWritten") == 1, "what is done is not done again"
    assert loop.weights() == undisturbed.weights()
    assert f"s3://{bucket}/runs/default/countdown-tiny-" in (tmp_path / "log").read_text()
    assert_whole(loop, s3_server, bucket, tmp_path)


def assert_whole(loop: Loop, s3_server, bucket: str, folder: Path) -> None:
    """Every artefact matches its manifest, and nothing is left of uploads or probes."""
    uri = f"s3://{bucket}/runs/{loop.run_folder.relative_to(loop.storage).as_posix()}"
    artifacts = Artifacts(open_store(uri, StorageSpec(uri=uri, endpoint=s3_server.endpoint)))
    manifests = [path for path in artifacts.store.versions("") if path.endswith(MANIFEST)]
    assert len(manifests) > 5
    for path in manifests:
        if path.endswith(f"/{MANIFEST}"):
            assert artifacts.get_folder(path.removesuffix(f"/{MANIFEST}"), folder / "copy" / path) is not None
        else:
            assert artifacts.get_file(path.removesuffix(f".{MANIFEST}"), folder / "copy" / path) is not None
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=bucket)
    assert not [path for path in loop.artefacts() if ".partial-" in path]
