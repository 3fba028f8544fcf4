"""Where a storage is: its endpoint, region and certificate, and what is said where they are wrong."""

from __future__ import annotations

import time

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, DependencyAway
from reflection_trainer.patience import Patience
from reflection_trainer.storage.store import ABSENT

from ...support import faults
from ...support.failures import failure_of
from .files import PART, local_file


def test_nobody_listens_at_the_endpoint(open_s3, bucket) -> None:
    failure = failure_of(lambda: open_s3("http://127.0.0.1:9", patience=Patience(0.3)).read("object"))
    assert (type(failure), failure.reason, failure.exit_code) == (
        DependencyAway,
        Reason.STORAGE_UNAVAILABLE,
        75,
    )
    assert failure.message.startswith(
        f"storage: s3://{bucket}/team/runs: http://127.0.0.1:9 did not do s3:GetObject in "
    )


def test_a_bucket_in_another_region(open_s3, s3_proxy) -> None:
    s3_proxy.inject(
        faults.error_answer(
            400, "AuthorizationHeaderMalformed", "the region is wrong; expecting 'eu-central-1'"
        ),
        times=9,
    )
    failure = failure_of(lambda: open_s3(s3_proxy.endpoint).list("folder").__next__())
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_SPEC, 78)
    assert "expecting 'eu-central-1'): set spec.storage.region" in failure.message


def test_a_storage_that_does_not_know_conditional_writes(open_s3, s3_proxy) -> None:
    s3_proxy.inject(faults.error_answer(501, "NotImplemented", "A header you provided implies functionality"))
    failure = failure_of(lambda: open_s3(s3_proxy.endpoint).write("object", b"1", expected=ABSENT))
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_SPEC, 78)
    assert "lacks something that is needed for s3:PutObject" in failure.message


@pytest.mark.usefixtures("s3_server")
def test_a_certificate_is_checked_against_the_given_authority(
    secured, open_s3, monkeypatch, tmp_path
) -> None:
    server, authority = secured
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    server.client().create_bucket(Bucket="team")
    store = open_s3(server.endpoint, bucket="team")
    local = local_file(tmp_path, PART + 1)
    store.upload(local, "object", expected=ABSENT)
    assert store.download("object", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == local.read_bytes()

    monkeypatch.delenv("AWS_CA_BUNDLE")
    started = time.monotonic()
    failure = failure_of(
        lambda: open_s3(server.endpoint, bucket="team", patience=Patience(60)).read("object")
    )
    assert time.monotonic() - started < 30
    assert (type(failure), failure.reason, failure.exit_code) == (BadConfig, Reason.INVALID_SPEC, 78)
    assert f"the certificate of {server.endpoint} is not trusted (" in failure.message
    assert "spec.storage.caSecret" in failure.message


def test_an_authority_that_is_not_there(open_s3, monkeypatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/reflect-ca/ca.crt")
    failure = failure_of(lambda: open_s3(caSecret="minio-ca").read("object"))
    assert (type(failure), failure.reason) == (DependencyAway, Reason.SECRET_NOT_FOUND)
    assert "spec.storage.caSecret: there is no Secret minio-ca with the key ca.crt" in failure.message
    failure = failure_of(lambda: open_s3().read("object"))
    assert (failure.reason, failure.exit_code) == (Reason.INVALID_SPEC, 78)
    assert failure.message.startswith("AWS_CA_BUNDLE=/etc/reflect-ca/ca.crt: there is no such file")


@pytest.mark.parametrize(
    ("style", "endpoint", "host"),
    [
        (None, None, "team.s3.amazonaws.com"),
        (True, None, "s3.amazonaws.com/team"),
        (None, "http://minio:9000", "minio:9000/team"),
        (False, "http://minio:9000", "team.minio:9000"),
        (True, "http://minio:9000", "minio:9000/team"),
    ],
)
def test_where_the_bucket_goes(style, endpoint, host, open_s3) -> None:
    store = open_s3(endpoint, bucket="team", pathStyle=style)
    client = store._connection._current().client
    url = client.generate_presigned_url("get_object", Params={"Bucket": "team", "Key": "k"})
    assert f"//{host}/k?" in url or f"//{host.replace('.s3.', '.s3.us-east-1.')}/k?" in url


@pytest.mark.parametrize(
    ("named", "variables", "region"),
    [
        ("eu-north-1", {"AWS_REGION": "eu-west-3"}, "eu-north-1"),
        (None, {"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "sa-east-1"}, "eu-west-3"),
        (None, {"AWS_DEFAULT_REGION": "sa-east-1"}, "sa-east-1"),
        (None, {}, "us-east-1"),
    ],
)
def test_the_region(named, variables, region, open_s3, monkeypatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_s3(region=named)._connection._current().client.meta.region_name == region
