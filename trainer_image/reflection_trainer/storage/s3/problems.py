"""What an error of boto3 means, and what a person is told about it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from reflection_api.reasons import Reason
from urllib3.exceptions import HTTPError

from ...errors import BadConfig, CorruptArtifact, DependencyAway, StageFailure
from ..subject import Subject

ERRORS = (boto.BotoCoreError, boto.ClientError, ResponseParserError, HTTPError)
"""Everything that a call of boto3 raises. Where a connection breaks within an answer that is no stream, it is urllib3's own."""

CONFLICT = "ConditionalRequestConflict"
"""Another write of the object is under way: the same one may work in a moment, but an upload in parts has to begin anew."""
_PASSING_CODES = {
    "BadDigest", "BandwidthLimitExceeded", CONFLICT, "IDPCommunicationError", "IncompleteBody",
    "InternalError", "OperationAborted", "RequestLimitExceeded", "RequestTimeout", "ServiceUnavailable", "SlowDown",
    "Throttling", "ThrottlingException", "TooManyRequests", "XAmzContentSHA256Mismatch",
}  # fmt: skip
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_CREDENTIAL_CODES = _EXPIRED_CODES | {
    "AuthFailure", "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken", "SignatureDoesNotMatch",
}  # fmt: skip
_ABSENT_CODES = {"404", "NoSuchKey", "NoSuchUpload"}
_FULL_CODES = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
_UNKNOWN_FEATURE = {"NotImplemented"}
_ASSUMING = "AssumeRole"
"""What the names of the requests begin with by which a role's credentials are had."""
_WRONG_TIME = "RequestTimeTooSkewed"
_WRONG_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_MAX_WORDS = 300
_TOO_MANY, _TIMED_OUT, _PRECONDITION, _FORBIDDEN, _SERVER = 429, 408, 412, 403, 500
_NO_ACCESS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound)
_PASSING = (
    boto.ConnectionError, boto.CredentialRetrievalError, boto.HTTPClientError, boto.IncompleteReadError,
    boto.MetadataRetrievalError, ResponseParserError, HTTPError,
)  # fmt: skip
_DAMAGED = (boto.ChecksumError, boto.FlexibleChecksumError)


class Kind(Enum):
    """What can be done about an error."""

    PASSING = auto()
    """The same request may work in a moment."""
    CREDENTIALS = auto()
    """The same request may work with other credentials."""
    DAMAGED = auto()
    """What came does not match its checksum."""
    ABSENT = auto()
    """There is no such object or upload."""
    DIFFERS = auto()
    """The object is not as the request's condition says."""
    FINAL = auto()
    """Nothing, here."""


class Asked(NamedTuple):
    """One request, and on whose behalf."""

    action: str
    """The permission that it takes, for example PutObject."""
    subject: Subject
    endpoint: str
    key: str
    """The access key, shortened, and where it is from."""
    worked: bool = True
    """Whether the storage has taken credentials of this process before."""
    uri: str = ""
    """The object that is read, if it is one."""


def kind_of(error: Exception) -> Kind:
    """What can be done about an error."""
    if isinstance(error, boto.ClientError):
        return _kind_of_answer(code_of(error), status_of(error))
    if isinstance(error, _DAMAGED):
        return Kind.DAMAGED
    if isinstance(error, _PASSING) and not untrusted(error):
        return Kind.PASSING
    return Kind.FINAL


def _kind_of_answer(code: str, status: int) -> Kind:
    if code in _ABSENT_CODES:
        return Kind.ABSENT
    if code == "PreconditionFailed" or status == _PRECONDITION:
        return Kind.DIFFERS
    if code in _CREDENTIAL_CODES:
        return Kind.CREDENTIALS
    if code in _FULL_CODES | _UNKNOWN_FEATURE:
        return Kind.FINAL
    passing = code in _PASSING_CODES or status in (_TOO_MANY, _TIMED_OUT) or status >= _SERVER
    return Kind.PASSING if passing else Kind.FINAL


def expired(error: Exception) -> bool:
    """Whether the credentials were good until a moment ago: whoever issues them will do so again."""
    return isinstance(error, boto.ClientError) and code_of(error) in _EXPIRED_CODES


def code_of(error: boto.ClientError) -> str:
    """The error code of an answer."""
    return _line(error.response.get("Error", {}).get("Code", ""))[:64]


def status_of(error: boto.ClientError) -> int:
    """The HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def untrusted(error: Exception) -> bool:
    """Whether the endpoint's certificate is signed by nobody we know."""
    return isinstance(error, boto.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def words(error: Exception) -> str:
    """The error itself, in a few words."""
    if isinstance(error, boto.ClientError):
        return f"{status_of(error)} {code_of(error)}: {_line(error.response.get('Error', {}).get('Message'))}"
    return _line(error)


def explained(error: Exception, asked: Asked, *, tried: float = 0.0) -> StageFailure:
    """The failure to end the stage with.

    Args:
        error: of the last try.
        asked: the request.
        tried: seconds that it was tried for.
    """
    where = asked.subject.where
    if isinstance(error, boto.ClientError):
        return _of_answer(error, asked, tried)
    if isinstance(error, _NO_ACCESS):
        return BadConfig(
            f"{where}: there are no credentials ({_line(error)}): set spec.storage.credentialsSecret, or give the pods' "
            "service account an identity; on this machine set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            reason=Reason.STORAGE_DENIED,
        )
    if untrusted(error):
        return BadConfig(
            f"{where}: the certificate of {asked.endpoint} is not trusted ({_line(error)}): name the Secret with its authority "
            "in spec.storage.caSecret; on this machine set AWS_CA_BUNDLE",
            reason=Reason.INVALID_SPEC,
        )
    if isinstance(error, _DAMAGED):
        return CorruptArtifact(
            f"{asked.subject.field}: {asked.uri or asked.subject.uri}: what arrives does not match the checksum that it was "
            f"stored with: {asked.subject.renew}"
        )
    if isinstance(error, _PASSING):
        return _away(asked, words(error), tried)
    return BadConfig(f"{where}: cannot be used: {_line(error)}", reason=asked.subject.missing)


def _of_answer(error: boto.ClientError, asked: Asked, tried: float) -> StageFailure:
    code, status = code_of(error), status_of(error)
    where, missing = asked.subject.where, asked.subject.missing
    if error.operation_name.startswith(_ASSUMING) and kind_of(error) is not Kind.PASSING:
        kind = DependencyAway if asked.worked or expired(error) else BadConfig
        return kind(
            f"{where}: sts:{error.operation_name} is refused ({words(error)}): the role must trust the pods' service account, "
            "spec.pods.common.serviceAccountName; on this machine look at AWS_PROFILE",
            reason=Reason.STORAGE_DENIED,
        )
    if code in _CREDENTIAL_CODES:
        # Credentials that were good once are being replaced; the next pod starts with what is there then.
        kind = DependencyAway if asked.worked or expired(error) else BadConfig
        return kind(
            f"{where}: the storage refuses the key {asked.key} ({status} {code}): correct or renew it",
            reason=Reason.STORAGE_DENIED,
        )
    if code == "NoSuchBucket":
        return BadConfig(
            f"{where}: there is no such bucket at {asked.endpoint}: create it, or correct the URI",
            reason=missing,
        )
    if code in _WRONG_REGION:
        return BadConfig(
            f"{where}: the bucket is in another region ({words(error)}): set spec.storage.region",
            reason=Reason.INVALID_SPEC,
        )
    if code in _UNKNOWN_FEATURE:
        return BadConfig(
            f"{where}: {asked.endpoint} lacks something that is needed for s3:{asked.action} ({words(error)}): "
            "docs/storage.md lists what a storage must know",
            reason=Reason.INVALID_SPEC,
        )
    if code in _FULL_CODES:
        return DependencyAway(
            f"{where}: the storage is full ({words(error)}); free space there", reason=Reason.STORAGE_FULL
        )
    if code == _WRONG_TIME:
        # Whoever keeps the node's time may mend it, or the next pod is on another node.
        return DependencyAway(
            f"{where}: the clock here and that of {asked.endpoint} differ by too much ({words(error)}): set the clock of the "
            "pod's node, or of the storage",
            reason=Reason.STORAGE_UNAVAILABLE,
        )
    if status == _FORBIDDEN:
        return BadConfig(
            f"{where}: access denied ({status}) for s3:{asked.action} with key {asked.key}; {asked.subject.needs}",
            reason=Reason.STORAGE_DENIED,
        )
    if kind_of(error) is Kind.PASSING:
        return _away(asked, words(error), tried)
    return BadConfig(f"{where}: s3:{asked.action} is refused ({words(error)})", reason=missing)


def _away(asked: Asked, what: str, tried: float) -> DependencyAway:
    return DependencyAway(
        f"{asked.subject.where}: {asked.endpoint} did not do s3:{asked.action} in {tried:.0f} s of trying "
        f"(the last time: {what}): check the endpoint and the network",
        reason=Reason.STORAGE_UNAVAILABLE,
    )


def _line(value: Any) -> str:
    """A text in one line, bounded: answers come from outside."""
    return " ".join(str(value).split())[:_MAX_WORDS]
