"""Keys, permissions, buckets: what a real server refuses, and what a person is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.compat import get_current_datetime
from reflection_api.contract import S3_CREDENTIALS_VARIABLE
from reflection_api.reasons import Reason
from reflection_api.stages import ExitCode
from reflection_trainer.errors import BadConfig, DependencyAway
from reflection_trainer.patience import Patience

from ...support import faults
from ...support.failures import failure_of
from ...support.s3_server import Key, S3Server
from .files import PART, local_file

NOBODY = Key("AKIANOBODYKNOWSTHIS", "secret")
ALL = "s3:*"


@pytest.fixture
def user(s3_server: S3Server, bucket: str) -> Key:
    """Somebody who may do everything in the test's bucket."""
    user = s3_server.new_user()
    s3_server.allow(bucket, user)
    return user


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_s3) -> Callable[[Key], None]:
    """Writes the files of a mounted Secret. A pod's environment keeps what the Secret held when the pod was started."""
    folder = tmp_path / "secret"
    folder.mkdir()

    def write(key: Key, token: str = "") -> None:
        values = {**key.environment, "AWS_SESSION_TOKEN": token}
        for name, value in values.items():
            (folder / name).write_text(f"{value}\n") if value else (folder / name).unlink(missing_ok=True)

    monkeypatch.setenv(S3_CREDENTIALS_VARIABLE, str(folder))
    return write


def test_a_prefix_that_is_denied(s3_server, bucket, open_s3, secret, tmp_path) -> None:
    user = s3_server.new_user()
    s3_server.allow(bucket, user, {"": ALL, "mine/*": ALL})
    secret(user)
    open_s3(prefix="mine", credentialsSecret="s3-creds").write("object", b"1")
    store = open_s3(credentialsSecret="s3-creds")
    for action, work in (
        ("PutObject", lambda: store.write("object", b"1")),
        ("PutObject", lambda: store.upload(local_file(tmp_path, PART + 1), "object")),
        ("GetObject", lambda: store.read("object")),
        ("DeleteObject", lambda: store.delete("object")),
    ):
        failure = failure_of(work)
        assert (type(failure), failure.reason) == (BadConfig, Reason.STORAGE_DENIED)
        assert failure.exit_code == ExitCode.BAD_CONFIG
        assert failure.message == (
            f"storage: s3://{bucket}/team/runs: access denied (403) for s3:{action} with key AKIA...{user.id[-3:]} from "
            "Secret s3-creds; the prefix needs GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload"
        )


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong(hours: int, s3_server, bucket, open_s3, secret, user, monkeypatch) -> None:
    """Is nobody's lack of permission, and may be right in the next pod."""
    secret(user)
    store = open_s3()
    wrong = get_current_datetime() + timedelta(hours=hours)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: wrong)
    failure = failure_of(lambda: store.write("object", b"1"))
    assert (type(failure), failure.reason) == (DependencyAway, Reason.STORAGE_UNAVAILABLE)
    assert (
        f"the clock here and that of {s3_server.endpoint} differ by too much (403 RequestTimeTooSkewed"
        in str(failure)
    )
    assert "set the clock of the pod's node, or of the storage" in failure.message


def test_uploads_that_may_not_be_listed_do_not_stop_the_work(
    s3_server, bucket, open_s3, secret, tmp_path, caplog
) -> None:
    user = s3_server.new_user()
    s3_server.allow(bucket, user, {"": "s3:ListBucket", "*": ALL})
    secret(user)
    store = open_s3()
    local = local_file(tmp_path, PART + 1)
    store.upload(local, "object")
    assert store.download("object", tmp_path / "copy")
    assert store.sweep("folder") == 0
    assert "unfinished uploads of earlier attempts are not looked for: storage: s3://" in caplog.text
    assert "access denied (403) for s3:ListBucketMultipartUploads" in caplog.text


@pytest.mark.parametrize("method", ["write", "read", "list", "upload", "versions"])
def test_a_bucket_that_is_not_there(method, open_s3, s3_server, tmp_path) -> None:
    store = open_s3(bucket="no-such-bucket")
    local = local_file(tmp_path, PART + 1)
    work = {
        "write": lambda: store.write("object", b"1"),
        "read": lambda: store.read("object"),
        "list": lambda: list(store.list("folder")),
        "upload": lambda: store.upload(local, "object"),
        "versions": lambda: store.versions("folder/"),
    }
    failure = failure_of(work[method])
    assert (type(failure), failure.reason, failure.exit_code) == (BadConfig, Reason.INVALID_SPEC, 78)
    assert failure.message == (
        f"storage: s3://no-such-bucket/team/runs: there is no such bucket at {s3_server.endpoint}: create it, or "
        "correct the URI"
    )


@pytest.mark.parametrize(
    ("key", "code"),
    [(NOBODY, "InvalidAccessKeyId"), (Key("AKIAROOTOFTHETESTS", "wrong"), "SignatureDoesNotMatch")],
)
def test_a_key_that_never_was_right_is_refused_at_once(key, code, open_s3, bucket, secret) -> None:
    secret(key)
    started = time.monotonic()
    failure = failure_of(lambda: open_s3(credentialsSecret="s3-creds", patience=Patience(60)).read("object"))
    assert time.monotonic() - started < 30
    assert (type(failure), failure.reason, failure.exit_code) == (BadConfig, Reason.STORAGE_DENIED, 78)
    assert failure.message == (
        f"storage: s3://{bucket}/team/runs: the storage refuses the key AKIA...{key.id[-3:]} from Secret s3-creds "
        f"(403 {code}): correct or renew it"
    )
    assert key.secret not in failure.message


def test_without_credentials(open_s3, bucket, monkeypatch) -> None:
    store = open_s3()
    for name in NOBODY.environment:
        monkeypatch.delenv(name)
    failure = failure_of(lambda: store.read("object"))
    assert (failure.reason, failure.exit_code) == (Reason.STORAGE_DENIED, 78)
    assert f"storage: s3://{bucket}/team/runs: there are no credentials (" in failure.message
    assert "set spec.storage.credentialsSecret" in failure.message


def test_replaced_credentials_are_taken_over(open_s3, s3_server, bucket, secret) -> None:
    """The old key is gone before the new one is there, as when somebody rotates keys by hand."""
    old, new = s3_server.new_user(), s3_server.new_user()
    s3_server.allow(bucket, old)
    secret(old)
    store = open_s3()
    store.write("object", b"1")
    s3_server.allow(bucket, new)
    s3_server.delete_user(old)
    threading.Timer(0.5, lambda: secret(new)).start()
    store.write("object", b"2")
    assert store.read("object") == b"2"


def test_the_usual_file_of_credentials_is_read_again(
    open_s3, s3_server, bucket, user, monkeypatch, tmp_path
) -> None:
    """Without keys in the environment the chain of AWS goes on to its file."""
    new, file = s3_server.new_user(), tmp_path / "credentials"

    def write(key: Key) -> None:
        words = "".join(f"{name.lower()} = {value}\n" for name, value in key.environment.items())
        file.write_text(f"[default]\n{words}")

    for name in NOBODY.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    write(user)
    store = open_s3()
    store.write("object", b"1")
    s3_server.allow(bucket, new)
    s3_server.delete_user(user)
    threading.Timer(0.5, lambda: write(new)).start()
    store.write("object", b"2")
    assert store.read("object") == b"2"


def test_credentials_that_are_not_replaced_are_named(open_s3, s3_server, bucket, user, secret) -> None:
    secret(user)
    store = open_s3(credentialsSecret="s3-creds", patience=Patience(0.5))
    store.write("object", b"1")
    s3_server.delete_user(user)
    failure = failure_of(lambda: store.write("object", b"2"))
    # The next pod may well find new ones.
    assert (type(failure), failure.reason, failure.exit_code) == (DependencyAway, Reason.STORAGE_DENIED, 75)
    assert (
        f"refuses the key AKIA...{user.id[-3:]} from Secret s3-creds (403 InvalidAccessKeyId)"
        in failure.message
    )


def test_expired_credentials_are_waited_for(open_s3, s3_proxy, s3_server, bucket, secret, user) -> None:
    """Between two objects."""
    s3_proxy.inject(
        faults.error_answer(400, "ExpiredToken"),
        header=f"Credential={user.id}/",
        method="PUT",
        after=1,
        times=99,
    )
    secret(user)
    store = open_s3(s3_proxy.endpoint)
    store.write("object", b"1")
    new = s3_server.new_user()
    s3_server.allow(bucket, new)
    threading.Timer(0.5, lambda: secret(new)).start()
    store.write("object", b"2")
    assert store.read("object") == b"2"


def test_credentials_that_expire_between_the_parts_of_an_upload_are_waited_for(
    open_s3, s3_proxy, s3_server, bucket, secret, user, tmp_path
) -> None:
    """By all threads that send parts at the time."""
    new, refuse, refused = s3_server.new_user(), faults.error_answer(400, "ExpiredToken"), list[str]()

    def expired(exchange: faults.Exchange) -> None:
        refuse(exchange)
        refused.append(exchange.request.start)
        if len(refused) == 3:
            s3_server.allow(bucket, new)
            secret(new)

    of_old, parts = f"Credential={user.id}/", "partNumber="
    s3_proxy.inject(expired, header=of_old, method="PUT", target=parts, after=1, times=99)
    secret(user)
    file = local_file(tmp_path, 5 * PART)
    store = open_s3(s3_proxy.endpoint)
    store.upload(file, "object")
    assert len(refused) >= 3
    assert store.read("object") == file.read_bytes()


def test_expired_credentials_that_nobody_renews(open_s3, s3_proxy, secret, user) -> None:
    s3_proxy.inject(faults.error_answer(400, "ExpiredToken"), times=99)
    secret(user)
    failure = failure_of(lambda: open_s3(s3_proxy.endpoint, patience=Patience(0.5)).read("object"))
    assert (type(failure), failure.reason, failure.exit_code) == (DependencyAway, Reason.STORAGE_DENIED, 75)
    assert "(400 ExpiredToken)" in failure.message


def test_a_session_token_is_sent(open_s3, s3_proxy, secret, user) -> None:
    seen: list[str] = []

    def look(exchange: faults.Exchange) -> None:
        seen.append(exchange.request.header("x-amz-security-token"))
        exchange.answer(exchange.forward())

    s3_proxy.inject(look)
    secret(user, "a-token")
    failure_of(lambda: open_s3(s3_proxy.endpoint, patience=Patience(0)).read("object"))
    assert seen == ["a-token"]


def test_half_a_secret_is_left_to_the_environment(open_s3, secret, tmp_path) -> None:
    """While it is being mounted."""
    (tmp_path / "secret" / "AWS_ACCESS_KEY_ID").write_text("AKIAHALFOFAKEYONLY")
    open_s3().write("object", b"1")
