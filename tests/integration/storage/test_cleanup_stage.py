"""The clean-up stage as a process against a real server: everything of the run goes, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ...support.s3_server import ROOT, S3Server
from ...support.stage_runs import StageRun, run_stage, stage_config

RUN = "runs/default/tiny-01234567"
"""Folder of the run that stage_config describes."""


@pytest.fixture
def keys(s3_server: S3Server, bucket: str) -> Any:
    """Puts objects, or with none says what there is."""
    client = s3_server.client()

    def put(*names: str) -> list[str]:
        for name in names:
            client.put_object(Bucket=bucket, Key=name, Body=b"x")
        return sorted(item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", []))

    return put


@pytest.fixture
def clean_up(s3_server: S3Server, bucket: str, tmp_path: Path) -> Any:
    def run(endpoint: str = s3_server.endpoint, bucket: str = bucket, **environment: str) -> StageRun:
        changes = {"storage": {"uri": f"s3://{bucket}/runs", "endpoint": endpoint}}
        config = stage_config(
            "cleanup", folder=tmp_path, model=tmp_path, prompts=tmp_path / "train.jsonl", changes=changes
        )
        variables = ROOT.environment | {"REFLECT_STORAGE_PATIENCE": "1"} | environment
        return run_stage(config, tmp_path / "scratch", environment=variables)

    return run


def test_everything_of_the_run_goes_and_nothing_else(clean_up, keys, s3_server, bucket) -> None:
    others = [
        "runs/default/tiny-01234567-2/report.html",
        "runs/default/tiny-0123/a",
        "runs/other/tiny-01234567/a",
    ]
    many = [f"{RUN}/round-1/rollout/attempts-{number:05d}.parquet" for number in range(1100)]
    manifests = [f"{many[0]}.manifest.json", f"{RUN}/round-1/train/model/manifest.json"]
    keys(*others, *many, *manifests, f"{RUN}/round-1/.partial-probe")
    begun = s3_server.client().create_multipart_upload(
        Bucket=bucket, Key=f"{RUN}/round-1/train/model/weights"
    )
    assert begun["UploadId"]
    done = clean_up()
    assert (done.exit_code, done.result.outcome) == (0, "Succeeded"), done.stderr
    assert done.result.metrics == {"objects": 1103}
    assert keys() == sorted(others)
    assert s3_server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    again = clean_up()
    assert (again.exit_code, again.result.metrics) == (0, {"objects": 0}), again.stderr


def test_a_storage_that_does_not_answer(clean_up) -> None:
    failed = clean_up(endpoint="http://127.0.0.1:9")
    assert (failed.exit_code, failed.result.reason) == (75, "StorageUnavailable")
    assert "127.0.0.1:9" in failed.result.message


def test_keys_that_are_not_known(clean_up, keys) -> None:
    keys(f"{RUN}/a")
    failed = clean_up(AWS_ACCESS_KEY_ID="AKIANOBODY")
    assert (failed.exit_code, failed.result.reason) == (78, "StorageDenied")
    assert keys() == [f"{RUN}/a"]
