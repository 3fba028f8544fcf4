"""Credentials that a service account is given for its token, and that end: they are had again, with the token of the day."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import StageFailure
from reflection_trainer.patience import Patience
from reflection_trainer.storage.s3 import S3Store

from ...support.s3_server import Key, S3Server
from ...support.sts import TokenService


@pytest.fixture
def service() -> Iterator[TokenService]:
    with TokenService() as found:
        yield found


@pytest.fixture
def token(
    service: TokenService, open_s3: Callable[..., S3Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The file that the cloud's webhook mounts; what it sets in the environment is set, and no key."""
    file = tmp_path / "token"
    file.write_text("monday")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/runs",
        "AWS_ENDPOINT_URL_STS": service.endpoint,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return file


@pytest.fixture
def new_key(s3_server: S3Server, bucket: str) -> Callable[[], Key]:
    """The key of a user who alone may use the bucket from now on."""

    def made() -> Key:
        key = s3_server.new_user()
        s3_server.allow(bucket, key)
        return key

    return made


def test_they_are_had_again_before_they_end(open_s3, s3_server, service, token, new_key) -> None:
    """Ten minutes before the end: at every request where they are given for less than that."""
    first = service.keys["monday"] = new_key()
    service.lifetime = timedelta(minutes=5)
    store = open_s3()
    store.write("object", b"1")
    token.write_text("tuesday")
    service.keys = {"tuesday": new_key()}
    s3_server.delete_user(first)
    store.write("object", b"2")
    assert store.read("object") == b"2"
    assert {"monday", "tuesday"} == set(service.asked)


def test_they_are_had_again_where_they_are_refused(
    open_s3, s3_server, service, token, new_key, caplog
) -> None:
    """Long before they would end. The token is replaced only while the storage already refuses."""
    first = service.keys["monday"] = new_key()
    store = open_s3()
    store.write("object", b"1")
    service.keys = {"tuesday": new_key()}
    s3_server.delete_user(first)
    threading.Timer(0.5, lambda: token.write_text("tuesday")).start()
    store.write("object", b"2")
    assert store.read("object") == b"2"
    assert "credentials were refused (403 InvalidAccessKeyId" in caplog.text


def test_they_are_named_by_where_they_are_from(open_s3, s3_server, service, token, new_key) -> None:
    key = service.keys["monday"] = new_key()
    store = open_s3(patience=Patience(0.5))
    store.write("object", b"1")
    s3_server.delete_user(key)
    with pytest.raises(StageFailure) as caught:
        store.write("object", b"2")
    assert (caught.value.reason, caught.value.exit_code) == (Reason.STORAGE_DENIED, 75)
    assert f"AKIA...{key.id[-3:]} from the service account (web identity)" in caught.value.message


def test_a_role_that_does_not_trust_the_service_account_is_said_to_be_that(open_s3, bucket, token) -> None:
    with pytest.raises(StageFailure) as caught:
        open_s3().read("object")
    assert (caught.value.reason, caught.value.exit_code) == (Reason.STORAGE_DENIED, 78)
    assert caught.value.message == (
        f"storage: s3://{bucket}/team/runs: sts:AssumeRoleWithWebIdentity is refused (403 AccessDenied: Not authorized to "
        "perform sts:AssumeRoleWithWebIdentity): the role must trust the pods' service account, "
        "spec.pods.common.serviceAccountName; on this machine look at AWS_PROFILE"
    )
