"""The measurement of checkpoints measures: what is uploaded is there, and what a training saves is stored meanwhile."""

from __future__ import annotations

import checkpoint_upload
import pytest
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


def test_a_training_with_checkpoints_stores_them(tmp_path, s3_server, monkeypatch):
    stored = []
    new_bucket = s3_server.new_bucket
    monkeypatch.setattr(s3_server, "new_bucket", lambda: stored.append(new_bucket()) or stored[-1])
    found = checkpoint_upload.measure_training(tmp_path, s3_server, 4, 2, 1)
    assert 0.1 < found["stored"][0] / found["none"][0] < 10
    names = [file.name for file in (s3_server.objects / stored[0]).rglob("*") if file.is_file()]
    assert names.count("manifest.json") == 2, "keepLast"
