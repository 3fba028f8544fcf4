"""The measurement of checkpoints measures: what is uploaded is there, and what a training saves is stored meanwhile."""

from __future__ import annotations

import checkpoint_upload
import pytest
from reflection_trainer.storage.s3.parts import PART
from transformers.utils.logging import disable_progress_bar

from ...support.s3_server import ROOT

pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    disable_progress_bar()
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)


def test_uploads_take_turns(tmp_path, s3_server):
    found = checkpoint_upload.measure_uploads(tmp_path, s3_server, 20, 2)
    assert [len(rates) for rates in found.values()] == [2, 2]
    assert 0.02 < found["ours"][0] / found["boto3"][0] < 50


def test_each_way_is_first_in_every_other_round(tmp_path, s3_server, monkeypatch):
    begun = []
    real = checkpoint_upload.in_turn
    monkeypatch.setattr(
        checkpoint_upload, "in_turn", lambda ways, number: begun.append(real(ways, number)) or begun[-1]
    )
    checkpoint_upload.measure_uploads(tmp_path, s3_server, 1, 2)
    assert begun == [["ours", "boto3"], ["boto3", "ours"], ["ours", "boto3"]]


def test_a_training_with_checkpoints_stores_them(tmp_path, s3_server, monkeypatch):
    stored = []
    new_bucket = s3_server.new_bucket
    monkeypatch.setattr(s3_server, "new_bucket", lambda: stored.append(new_bucket()) or stored[-1])
    found = checkpoint_upload.measure_training(tmp_path, s3_server, 4, 2, 1)
    assert 0.1 < found["stored"][0] / found["none"][0] < 10
    files = [file for file in (s3_server.objects / stored[0]).rglob("*") if file.is_file()]
    assert [file.name for file in files].count("manifest.json") == 2, "keepLast"
    ballast = [file.stat().st_size for file in files if file.name == "ballast.bin"]
    assert len(ballast) == 2
    assert min(ballast) > 2 * PART, "a checkpoint goes up in parts"
