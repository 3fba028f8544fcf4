"""`reflect uploads` against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ...support.pages import ROOT, fences
from ...support.shell import in_shell

REFLECT = Path(sys.executable).parent / "reflect"


@pytest.fixture
def reflect(s3_server, open_s3):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [REFLECT, "uploads", *words, "--endpoint", s3_server.endpoint]
        return subprocess.run(command, text=True, capture_output=True, check=False)

    return run


@pytest.fixture
def begun(s3_server, bucket) -> list[str]:
    """Three uploads that nobody finished, two of them below team/."""
    keys = ["team/runs/a", "team/runs/b", "other/c"]
    for key in keys:
        s3_server.client().create_multipart_upload(Bucket=bucket, Key=key)
    return keys


def left(s3_server, bucket) -> list[str]:
    found = s3_server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return sorted(upload["Key"] for upload in found)


def make_old(s3_server, bucket, key) -> None:
    """Have an upload begun two days ago: the server goes by the time of its folder."""
    found = s3_server.client().list_multipart_uploads(Bucket=bucket)["Uploads"]
    (upload,) = [each["UploadId"] for each in found if each["Key"] == key]
    (folder,) = s3_server.objects.rglob(upload)
    begun = time.time() - 2 * 24 * 3600
    os.utime(folder, (begun, begun))


def test_they_are_listed(reflect, begun, s3_server, bucket) -> None:
    answer = reflect(f"s3://{bucket}/team")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert [line.split()[-1] for line in lines[:2]] == [f"s3://{bucket}/team/runs/{name}" for name in "ab"]
    assert lines[2:] == ["2 unfinished uploads; --abort ends them and deletes their parts"]
    assert left(s3_server, bucket) == sorted(begun)


def test_they_are_aborted(reflect, begun, s3_server, bucket) -> None:
    answer = reflect(f"s3://{bucket}/team", "--abort")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "2 unfinished uploads aborted"
    assert left(s3_server, bucket) == ["other/c"]
    assert reflect(f"s3://{bucket}/team").stdout == f"no unfinished uploads below s3://{bucket}/team\n"


def test_young_ones_are_spared(reflect, begun, s3_server, bucket) -> None:
    answer = reflect(f"s3://{bucket}", "--abort", "--older-than", "1")
    assert (answer.returncode, answer.stdout) == (0, f"no unfinished uploads below s3://{bucket}\n")
    assert left(s3_server, bucket) == sorted(begun)


def test_the_commands_of_the_page(open_s3, begun, s3_server, bucket, tmp_path) -> None:
    """The second removes what is older than a day: one of the uploads is made so, as the server counts."""
    shown = [
        each.text for each in fences(ROOT / "docs/storage.md") if each.text.startswith("reflect uploads")
    ]
    listing, removal = "".join(shown).replace("s3://team", f"s3://{bucket}/team").splitlines()
    environment = {**os.environ, "AWS_ENDPOINT_URL": s3_server.endpoint}
    listed = in_shell(listing, tmp_path, environment)
    assert listed.returncode == 0, listed.stdout
    assert listed.stdout.splitlines()[-1].startswith("2 unfinished uploads")
    make_old(s3_server, bucket, "team/runs/a")
    removed = in_shell(removal, tmp_path, environment)
    assert (removed.returncode, removed.stdout.splitlines()[-1]) == (0, "1 unfinished upload aborted")
    assert left(s3_server, bucket) == ["other/c", "team/runs/b"]


def test_programs_get_json(reflect, begun, bucket) -> None:
    answer = reflect(f"s3://{bucket}/team", "-o", "json")
    found = json.loads(answer.stdout)["uploads"]
    assert [entry["uri"] for entry in found] == [f"s3://{bucket}/team/runs/{name}" for name in "ab"]
    assert all(entry.keys() == {"uri", "uploadId", "since", "aborted"} for entry in found)
    assert not any(entry["aborted"] for entry in found)


def test_a_bucket_that_is_not_there(reflect) -> None:
    answer = reflect("s3://no-such-bucket/team")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("error: storage: s3://no-such-bucket/team: there is no such bucket at ")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("uri", ["file:///runs", "s3://", "runs"])
def test_another_place(reflect, uri) -> None:
    answer = reflect(uri)
    assert answer.returncode == 2
    assert "write s3://bucket/prefix" in " ".join(answer.stderr.split())


def test_a_region_that_can_be_none(reflect, bucket) -> None:
    answer = reflect(f"s3://{bucket}/team", "--region", "Not A Region")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: region: Not A Region: ")


def test_without_boto3_the_remedy_is_named(bucket) -> None:
    code = "import sys; sys.modules['boto3'] = None; from reflection_trainer.storage.__main__ import main; sys.exit(main(['s3://team/runs']))"
    answer = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "is not installed: pip install 'reflect-operator[s3]'" in answer.stderr
