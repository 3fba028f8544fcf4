"""A client with the credentials that are valid now, and where they are from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import boto3.session
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from reflection_api.contract import S3_CREDENTIALS_VARIABLE
from reflection_api.reasons import Reason
from reflection_api.spec import StorageSpec

from ...errors import BadConfig, DependencyAway

THREADS = 4
"""Requests of one upload or download at the same time."""
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_KEY_FILE, _SECRET_FILE, _TOKEN_FILE = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_HEAD, _TAIL, _LONG = 4, 3, 12

_SOURCES = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "the credentials file of AWS",
    "config-file": "the configuration file of AWS",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "the service account (web identity)",
    "container-role": "the container's role",
    "iam-role": "the node's role",
}
"""botocore's names for links of its chain, in words."""


class Access(NamedTuple):
    """A client and what it signs with."""

    client: Any
    endpoint: str
    key: str
    """The access key, shortened, and where it is from: for messages."""
    fingerprint: str
    """Changes with the credentials."""


def open_access(settings: StorageSpec) -> Access:
    """Read the credentials anew and make a client.

    The files of the Secret go before the usual chain: environment, files below ~/.aws, web identity, the container's and the
    node's role.

    Raises:
        BotoCoreError: there are no credentials, or the settings fit no endpoint.
        StageFailure: the file of certificates is not there.
    """
    _check_authorities(settings)
    files = _files_of_secret()
    session = boto3.session.Session(**files)
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    client = session.client(
        "s3",
        endpoint_url=settings.endpoint,
        # boto3 reads AWS_DEFAULT_REGION alone; every other tool of AWS, and what its webhooks set, is AWS_REGION.
        region_name=settings.region or os.environ.get("AWS_REGION") or session.region_name or "us-east-1",
        config=_config(settings),
    )
    source = (
        f"Secret {settings.credentials_secret}"
        if files and settings.credentials_secret
        else _SOURCES.get(credentials.method, credentials.method)
    )
    frozen = credentials.get_frozen_credentials()
    return Access(
        client=client,
        endpoint=str(client.meta.endpoint_url),
        key=f"{shortened(frozen.access_key)} from {source}",
        fingerprint=hashlib.sha256("\0".join(str(part) for part in frozen).encode()).hexdigest(),
    )


def _check_authorities(settings: StorageSpec) -> None:
    """Name a missing file of certificates, which otherwise fails in the depths of each request."""
    file = os.environ.get("AWS_CA_BUNDLE")
    if not file or Path(file).exists():
        return
    if settings.ca_secret:
        raise DependencyAway(
            f"spec.storage.caSecret: there is no Secret {settings.ca_secret} with the key ca.crt in this namespace: create it",
            reason=Reason.SECRET_NOT_FOUND,
        )
    raise BadConfig(
        f"AWS_CA_BUNDLE={file}: there is no such file; correct the path", reason=Reason.INVALID_SPEC
    )


def shortened(key: str) -> str:
    """Enough of an access key to tell it from others."""
    return f"{key[:_HEAD]}...{key[-_TAIL:]}" if len(key) >= _LONG else f"{key[:2]}..."


def _files_of_secret() -> dict[str, str]:
    """Credentials from the mounted Secret; none where it is not mounted, or not complete yet."""
    folder = os.environ.get(S3_CREDENTIALS_VARIABLE)
    if not folder:
        return {}
    found = {name: _content(Path(folder) / name) for name in (_KEY_FILE, _SECRET_FILE, _TOKEN_FILE)}
    if not (found[_KEY_FILE] and found[_SECRET_FILE]):
        return {}
    return {name.lower(): value for name, value in found.items() if value}


def _content(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _config(settings: StorageSpec) -> Config:
    style = {None: "auto", True: "path", False: "virtual"}[settings.path_style]
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=4 * THREADS,
        # Trying again is ours: with a view of credentials that were replaced and of writes that were done unheard.
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": style},
        # A range has no checksum of its own; where a whole object is read, it is asked for.
        response_checksum_validation="when_required",
        user_agent_extra="reflect-operator",
    )
