"""What the errors of boto3 mean. Real ones, from a real server, are in tests/integration/storage."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.reasons import MEANINGS, Fault, Reason
from reflection_trainer.errors import BadConfig, DependencyAway
from reflection_trainer.storage.s3.access import shortened
from reflection_trainer.storage.s3.problems import Asked, Kind, explained, kind_of
from reflection_trainer.storage.subject import Subject
from urllib3.exceptions import ProtocolError

ASKED = Asked(
    "PutObject", Subject(uri="s3://team/runs"), "https://minio:9000", "AKIA...7QX from Secret s3-creds"
)


def answer(status: int, code: str, message: str = "words of the server") -> boto.ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", Kind.PASSING),
        (500, "InternalError", Kind.PASSING),
        (502, "", Kind.PASSING),
        (429, "anything", Kind.PASSING),
        (408, "", Kind.PASSING),
        (409, "OperationAborted", Kind.PASSING),
        (400, "RequestTimeout", Kind.PASSING),
        (400, "BadDigest", Kind.PASSING),
        (400, "IDPCommunicationError", Kind.PASSING),
        (403, "AccessDenied", Kind.FINAL),
        (403, "403", Kind.FINAL),
        (404, "NoSuchBucket", Kind.FINAL),
        (404, "NoSuchKey", Kind.ABSENT),
        (404, "404", Kind.ABSENT),
        (404, "NoSuchUpload", Kind.ABSENT),
        (412, "PreconditionFailed", Kind.DIFFERS),
        (412, "412", Kind.DIFFERS),
        (403, "InvalidAccessKeyId", Kind.CREDENTIALS),
        (400, "ExpiredToken", Kind.CREDENTIALS),
        (501, "NotImplemented", Kind.FINAL),
        (507, "XMinioStorageFull", Kind.FINAL),
        (400, "InvalidRequest", Kind.FINAL),
    ],
)
def test_what_can_be_done_about_an_answer(status: int, code: str, kind: Kind) -> None:
    assert kind_of(answer(status, code)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.EndpointConnectionError(endpoint_url="http://x"), Kind.PASSING),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), Kind.PASSING),
        (boto.ReadTimeoutError(endpoint_url="http://x"), Kind.PASSING),
        (boto.ConnectionClosedError(endpoint_url="http://x"), Kind.PASSING),
        (boto.ResponseStreamingError(error="broken"), Kind.PASSING),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), Kind.PASSING),
        (boto.CredentialRetrievalError(provider="iam-role", error_msg="away"), Kind.PASSING),
        (boto.SSLError(endpoint_url="https://x", error="EOF occurred"), Kind.PASSING),
        (
            boto.SSLError(endpoint_url="https://x", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"),
            Kind.FINAL,
        ),
        (ResponseParserError("no XML"), Kind.PASSING),
        (ProtocolError("Connection broken"), Kind.PASSING),
        (boto.FlexibleChecksumError(error_msg="differs"), Kind.DAMAGED),
        (boto.NoCredentialsError(), Kind.FINAL),
        (boto.ParamValidationError(report="Invalid bucket name"), Kind.FINAL),
    ],
)
def test_what_can_be_done_about_an_error(error: Exception, kind: Kind) -> None:
    assert kind_of(error) is kind


@given(
    st.integers(300, 599),
    st.sampled_from(["AccessDenied", "SlowDown", "X"]) | st.text(max_size=20),
    st.text(),
)
def test_every_answer_has_a_sentence(status: int, code: str, message: str) -> None:
    failure = explained(answer(status, code, message), ASKED, tried=3.2)
    assert isinstance(failure, BadConfig | DependencyAway)
    assert failure.message.startswith("storage: s3://team/runs: ")
    assert "\n" not in failure.message
    assert len(failure.message) < 1024
    assert MEANINGS[failure.reason].fault in (Fault.USER, Fault.PLATFORM)


def test_a_denied_request_names_the_permission_the_key_and_the_remedy() -> None:
    failure = explained(answer(403, "AccessDenied"), ASKED)
    assert failure.message == (
        "storage: s3://team/runs: access denied (403) for s3:PutObject with key AKIA...7QX from Secret s3-creds; the prefix "
        "needs GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload"
    )


def test_where_the_storage_is_full() -> None:
    failure = explained(answer(507, "XMinioStorageFull", "no space"), ASKED)
    assert (type(failure), failure.reason) == (DependencyAway, Reason.STORAGE_FULL)


def test_a_name_that_can_be_none() -> None:
    failure = explained(boto.ParamValidationError(report="Invalid bucket name"), ASKED)
    assert (type(failure), failure.reason) == (BadConfig, Reason.INVALID_SPEC)
    assert "Invalid bucket name" in failure.message


@given(st.text(max_size=200))
def test_no_key_is_shown_whole(key: str) -> None:
    short = shortened(key)
    assert len(short) <= 10
    assert len(key) < 3 or key not in short
