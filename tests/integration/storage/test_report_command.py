"""`reflect report` on a run in S3, on a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ...support import faults
from ...support.s3_server import ROOT, S3Server
from ...unit.report.runs import context_of, leave_evaluation, leave_failures, leave_rollout, leave_training

REFLECT = Path(sys.executable).parent / "reflect"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with everything in it."""
    folder = tmp_path_factory.mktemp("run")
    context = context_of(folder)
    for leave in (leave_rollout, leave_failures, leave_training, leave_evaluation):
        leave(context)
    return next((folder / "runs").glob("*/*"))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)


def stored(server: S3Server, run: Path, bucket: str) -> str:
    """The URI of the run in a bucket."""
    return server.put_folder(run, bucket, f"team/{run.name}")


def report(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REFLECT, "report", *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_an_endpoint(s3_server, bucket, run, tmp_path) -> None:
    uri = stored(s3_server, run, bucket)
    answer = report(uri, "--endpoint", s3_server.endpoint, "--path-style", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "report.html\n"), answer.stderr
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert numbers["uri"] == uri
    assert numbers["rounds"][0]["evaluation"]["secondTry"]["pValue"] == 1
    assert "Did it learn?" in (tmp_path / "report.html").read_text()


def test_the_environment_says_the_same(s3_server, bucket, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    answer = report(stored(s3_server, run, bucket), cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_the_region_is_the_one_that_requests_are_signed_for(s3_proxy, tmp_path) -> None:
    refused = faults.error_answer(400, "AuthorizationHeaderMalformed", "wrong; expecting 'us-west-2'")
    s3_proxy.inject(refused, header="/eu-central-1/s3/", times=9)
    answer = report(
        "s3://runs/team/a", "--endpoint", s3_proxy.endpoint, "--region", "eu-central-1", cwd=tmp_path
    )
    assert answer.returncode == 2
    assert "expecting 'us-west-2'" in answer.stderr


def test_an_authority_of_its_own(secured, run, tmp_path, monkeypatch) -> None:
    server, authority = secured
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    uri = stored(server, run, server.new_bucket())
    answer = report(uri, "--endpoint", server.endpoint, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    monkeypatch.delenv("AWS_CA_BUNDLE")
    answer = report(uri, "--endpoint", server.endpoint, cwd=tmp_path)
    assert answer.returncode == 2
    assert f"the certificate of {server.endpoint} is not trusted (" in answer.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("s3://runs/team/a", "--region", "Not A Region"), "error: region: Not A Region: "),
        (("s3://runs/team/a", "--endpoint", "minio:9000"), "error: endpoint: minio:9000: "),
        (("runs", "--region", "us-east-1"), "runs is not in S3: leave --endpoint, --region"),
        (("file:///runs", "--path-style"), "file:///runs is not in S3: leave --endpoint"),
    ],
)
def test_a_wrong_command_line(words, problem, tmp_path) -> None:
    answer = report(*words, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert problem in " ".join(answer.stderr.replace("│", " ").split())
    assert "Traceback" not in answer.stderr


def test_a_bucket_and_a_folder_that_are_not_there(s3_server, bucket, tmp_path) -> None:
    endpoint = ("--endpoint", s3_server.endpoint)
    answer = report("s3://no-such-bucket/team/a", *endpoint, cwd=tmp_path)
    assert answer.returncode == 2
    assert "error: storage: s3://no-such-bucket/team/a: there is no such bucket at " in answer.stderr
    answer = report(f"s3://{bucket}/team/a", *endpoint, cwd=tmp_path)
    assert answer.returncode == 2
    assert f"s3://{bucket}/team/a: no run has stored anything there; expected a run's folder" in answer.stderr
