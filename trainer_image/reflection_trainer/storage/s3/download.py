"""One object to a local file, in parts that are fetched at the same time."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import IncompleteReadError
from reflection_api.reasons import Reason

from ...errors import DependencyAway
from ..store import PARTIAL
from .connection import Connection, Differs, Missing
from .parts import Part, for_each, parts_of, write_part

_TRIES = 3
"""Times that an object may be replaced while it is fetched."""


class _First(NamedTuple):
    """The first part, and what it says about the whole."""

    data: bytes
    size: int
    version: str


def download(connection: Connection, bucket: str, key: str, uri: str, local: Path, part: int) -> bool:
    """Fetch an object in parts of so many bytes; False where there is none. The file is there when it is whole.

    Raises:
        StageFailure: the storage does not give it, or the disk does not take it.
    """
    fetch = _Fetch(connection, bucket, key, uri, part)
    temporary = local.with_name(f"{PARTIAL}{local.name}")
    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            try:
                fetch.to(temporary)
            except Missing:
                return False
            except Differs:
                continue
            temporary.replace(local)
            return True
    except OSError as error:
        raise DependencyAway(
            f"storage: {uri}: cannot be stored in {local}: {error.strerror or error}; free space there, or give the pod a "
            "larger volume at /scratch",
            reason=Reason.STORAGE_FULL,
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    raise DependencyAway(
        f"storage: {uri}: is replaced all the time: end what writes it", reason=Reason.STORAGE_CONFLICT
    )


class _Fetch:
    """The requests for one object."""

    def __init__(self, connection: Connection, bucket: str, key: str, uri: str, part: int) -> None:
        self._connection, self._uri, self._size = connection, uri, part
        self._object = {"Bucket": bucket, "Key": key}

    def to(self, file: Path) -> None:
        """Write the object into a file.

        Raises:
            Missing: there is none.
            Differs: it was replaced meanwhile.
        """
        first = self._first()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_part(descriptor, Part(1, 0, len(first.data)), first.data)

            def fetch(part: Part, stop: threading.Event) -> None:
                write_part(descriptor, part, self._part(part, first.version, stop))

            for_each(parts_of(first.size, self._size)[1:], fetch)
        finally:
            os.close(descriptor)

    def _first(self) -> _First:
        """The whole of a small object, with its checksum checked; the beginning of a large one."""

        def get(client: Any) -> _First:
            answer = client.get_object(**self._object, ChecksumMode="ENABLED")
            size = int(answer["ContentLength"])
            with closing(answer["Body"]) as body:
                data = body.read() if size <= self._size else _exactly(body, self._size)
                return _First(data, size, str(answer["ETag"]))

        return self._connection.run("GetObject", get, uri=self._uri)

    def _part(self, part: Part, version: str, stop: threading.Event) -> bytes:
        def get(client: Any) -> bytes:
            span = f"bytes={part.start}-{part.start + part.size - 1}"
            answer = client.get_object(**self._object, Range=span, IfMatch=version)
            with closing(answer["Body"]) as body:
                return _exactly(body, part.size)

        return self._connection.run("GetObject", get, uri=self._uri, stop=stop)


def _exactly(body: Any, size: int) -> bytes:
    """So many bytes of an answer, or an error that is worth another try."""
    data = bytes(body.read(size))
    if len(data) != size:
        raise IncompleteReadError(actual_bytes=len(data), expected_bytes=size)
    return data
