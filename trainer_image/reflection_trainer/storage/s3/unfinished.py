"""Uploads in parts that were begun and neither completed nor aborted: invisible, and paid for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from reflection_api.reasons import Reason

from ...errors import StageFailure
from ...patience import Patience
from .connection import Connection, Missing
from .problems import code_of

logger = logging.getLogger(__name__)


class Unfinished(NamedTuple):
    """An upload that is not an object yet."""

    key: str
    upload_id: str
    since: datetime


def unfinished(connection: Connection, bucket: str, prefix: str) -> Iterator[Unfinished]:
    """The unfinished uploads of all keys that begin with these characters."""
    place: dict[str, str] = {}
    while True:
        page = _page(connection, bucket, prefix, place)
        for found in page.get("Uploads", []):
            # Not every service filters by prefix.
            if str(found["Key"]).startswith(prefix):
                yield Unfinished(str(found["Key"]), str(found["UploadId"]), found["Initiated"])
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def abort(
    connection: Connection, bucket: str, upload: Unfinished, *, patience: Patience | None = None
) -> None:
    """End an upload and delete its parts; nothing happens where it is gone already."""
    with suppress(Missing):
        connection.run(
            "AbortMultipartUpload",
            lambda client: client.abort_multipart_upload(
                Bucket=bucket, Key=upload.key, UploadId=upload.upload_id
            ),
            patience=patience,
        )


def abort_remains(connection: Connection, bucket: str, prefix: str) -> int:
    """Abort what writers that died have left below a prefix; returns how many uploads that were."""
    return _abort_all(connection, bucket, prefix, lambda _: True)


def abort_others(connection: Connection, upload: Mapping[str, str]) -> None:
    """Abort the other uploads of an object: of a writer that died, or one that was begun here although nobody heard of it."""
    key, own = upload["Key"], upload["UploadId"]
    _abort_all(connection, upload["Bucket"], key, lambda found: found.key == key and found.upload_id != own)


def _abort_all(connection: Connection, bucket: str, prefix: str, chosen: Callable[[Unfinished], bool]) -> int:
    """Without the permission to look for them they stay: that costs storage, not the run."""
    aborted = 0
    try:
        for upload in [found for found in unfinished(connection, bucket, prefix) if chosen(found)]:
            abort(connection, bucket, upload)
            aborted += 1
    except StageFailure as failure:
        if failure.reason is not Reason.STORAGE_DENIED:
            raise
        logger.warning("unfinished uploads of earlier attempts are not looked for: %s", failure.message)
    return aborted


def _page(connection: Connection, bucket: str, prefix: str, place: dict[str, str]) -> dict[str, Any]:
    def ask(client: Any) -> dict[str, Any]:
        found: dict[str, Any]
        try:
            found = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, **place)
        except ClientError as error:
            if not place or code_of(error) != "InvalidArgument":
                raise
            # versitygw 1.8.0 refuses the second marker, which it gave itself. Without it a page begins with the next key: of
            # several uploads of one object some may be left out, until those before them are gone.
            found = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, KeyMarker=place["KeyMarker"])
        return found

    return connection.run("ListBucketMultipartUploads", ask)
