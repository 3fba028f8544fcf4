"""One object, from a local file or from memory, on a condition if there is one."""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from ...errors import StageFailure
from ..store import ABSENT, ANY, Changed, Stored
from .connection import Connection, Differs, Missing
from .parts import Part, crc32, for_each, parts_of, uploaded_part
from .problems import CONFLICT, code_of
from .unfinished import Unfinished, abort, abort_others

logger = logging.getLogger(__name__)

WRITER = "writer"
"""Metadata of every object: who wrote it. A write whose answer was lost is known again by it."""


class _Spent(Exception):
    """An upload in parts met another write of its object: it cannot be completed any more, another one may be."""

    def __init__(self, answer: ClientError) -> None:
        super().__init__(str(answer))
        self.answer = answer


class Upload:
    """One write of one object.

    A request may be done although its answer never arrives. Tried again, it is refused: its own object is in the way of a
    condition, or its upload is finished and gone. The writer's mark on the object tells that from another's write.
    """

    def __init__(self, connection: Connection, bucket: str, key: str, uri: str, expected: str) -> None:
        self._connection, self._uri = connection, uri
        self._object = {"Bucket": bucket, "Key": key}
        self._writer = uuid.uuid4().hex
        self._expected = expected
        self._condition = (
            {} if expected == ANY else {"IfNoneMatch": "*"} if expected == ABSENT else {"IfMatch": expected}
        )

    def whole(self, data: bytes) -> str:
        """Write the object in one request; returns its version.

        Raises:
            Changed: the object is not the expected version.
        """

        def put(client: Any) -> str:
            answer = client.put_object(
                **self._object,
                **self._condition,
                Body=data,
                ChecksumCRC32=crc32(data),
                Metadata={WRITER: self._writer},
            )
            return str(answer["ETag"])

        return self._conditional(put)

    def file(self, local: Path, part: int) -> Stored:
        """Write the object from a file, in parts where it is larger than one.

        Raises:
            Changed: the object is not the expected version, or somebody else aborted the upload.
        """
        size = local.stat().st_size
        if size <= part:
            data = local.read_bytes()
            return Stored(self.whole(data), hashlib.sha256(data).hexdigest(), len(data))

        def whole_upload(_: Any) -> Stored:
            try:
                return self._in_parts(local, size, part)
            except _Spent as spent:
                raise spent.answer from None

        # Where one is spent the next begins anew, with the pauses and for the time of a request that is tried again.
        return self._connection.run("PutObject", whole_upload)

    def _in_parts(self, local: Path, size: int, part: int) -> Stored:
        digest = hashlib.sha256()
        with self._begun() as upload, local.open("rb") as file:
            parts = _read(file, parts_of(size, uploaded_part(size, part)), digest.update)
            done = for_each(parts, lambda data, stop: self._part(upload, *data, stop))
            return Stored(self._complete(upload, done), digest.hexdigest(), size)

    @contextmanager
    def _begun(self) -> Iterator[dict[str, str]]:
        """An upload in parts, aborted where it does not come to its end."""
        answer = self._connection.run(
            "PutObject",
            lambda client: client.create_multipart_upload(
                **self._object, ChecksumAlgorithm="CRC32", Metadata={WRITER: self._writer}
            ),
        )
        upload = {**self._object, "UploadId": str(answer["UploadId"])}
        try:
            abort_others(self._connection, upload)
            yield upload
        except BaseException:
            self._abort(upload)
            raise

    def _part(self, upload: dict[str, str], part: Part, data: bytes, stop: threading.Event) -> dict[str, Any]:
        checksum = crc32(data)

        def put(client: Any) -> str:
            answer = client.upload_part(**upload, PartNumber=part.number, Body=data, ChecksumCRC32=checksum)
            return str(answer["ETag"])

        try:
            etag = self._connection.run("PutObject", put, stop=stop)
        except Missing as error:
            raise Changed(self._uri) from error
        return {"PartNumber": part.number, "ETag": etag, "ChecksumCRC32": checksum}

    def _complete(self, upload: dict[str, str], parts: list[dict[str, Any]]) -> str:
        def complete(client: Any) -> str:
            try:
                answer = client.complete_multipart_upload(
                    **upload, **self._condition, MultipartUpload={"Parts": parts}
                )
            except ClientError as error:
                if code_of(error) == CONFLICT:
                    raise _Spent(error) from error
                raise
            return str(answer["ETag"])

        try:
            return self._conditional(complete)
        except _Spent as spent:
            version, own = self._there()
            if own:
                return version
            if self._expected not in (ANY, version or ABSENT):
                raise Changed(self._uri) from spent
            raise

    def _conditional(self, write: Callable[[Any], str]) -> str:
        try:
            return self._connection.run("PutObject", write)
        except (Differs, Missing) as error:
            version, own = self._there()
            if own:
                return version
            raise Changed(self._uri) from error

    def _there(self) -> tuple[str, bool]:
        """The version of the object, an empty text where there is none, and whether it is the one that was written here."""
        try:
            found = self._connection.run("GetObject", lambda client: client.head_object(**self._object))
        except Missing:
            return "", False
        return str(found["ETag"]), found.get("Metadata", {}).get(WRITER) == self._writer

    def _abort(self, upload: dict[str, str]) -> None:
        """Best effort: what is left is found by the next writer of this object, or by `reflect uploads`."""
        begun = Unfinished(upload["Key"], upload["UploadId"], datetime.now(UTC))
        try:
            abort(self._connection, upload["Bucket"], begun, patience=self._connection.patience.brief)
        except (StageFailure, Differs) as failure:
            logger.warning("an unfinished upload of %s is left: %s", self._uri, failure)


def _read(
    file: BinaryIO, parts: Iterable[Part], seen: Callable[[bytes], object]
) -> Iterator[tuple[Part, bytes]]:
    """The parts of a file with their bytes, each shown to `seen`: what is described is what is sent."""
    for part in parts:
        data = file.read(part.size)
        if len(data) != part.size:
            raise RuntimeError(f"{file.name} was shortened while it was stored")
        seen(data)
        yield part, data
