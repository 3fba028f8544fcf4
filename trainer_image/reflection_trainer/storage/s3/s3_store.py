"""`s3://` storage: the objects below a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from reflection_api.layout import MANIFEST

from ...errors import CorruptArtifact
from ..store import ANY, PARTIAL, Stored
from .connection import Connection, Missing
from .download import download
from .parts import MIB, PART
from .unfinished import abort_remains
from .upload import Upload

_SMALL = 64 * MIB
"""Most bytes of an object that is read at once: manifests, of which the largest has a line for each of thousands of shards."""


class S3Store:
    """Objects are those whose keys begin with the root's prefix. A version is an ETag."""

    def __init__(self, root_uri: str, connection: Connection, *, part: int = PART) -> None:
        """Look at a prefix.

        Args:
            root_uri: s3://bucket/prefix.
            connection: to the service.
            part: bytes of each part of a large object; S3 takes no less than 5 MiB.
        """
        self._root_uri = root_uri.rstrip("/")
        self._connection = connection
        self._part = part
        self._bucket, _, self._prefix = self._root_uri.removeprefix("s3://").partition("/")

    @property
    def root(self) -> str:
        return self._root_uri

    def uri(self, path: str) -> str:
        return f"{self._root_uri}/{path}"

    def read(self, path: str) -> bytes | None:
        def get(client: Any) -> bytes:
            answer = client.get_object(Bucket=self._bucket, Key=self._key(path), ChecksumMode="ENABLED")
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > _SMALL:
                    raise CorruptArtifact(
                        f"storage: {self.uri(path)} has {answer['ContentLength']} bytes where a small object is expected: "
                        "delete it"
                    )
                return bytes(body.read())

        try:
            return self._connection.run("GetObject", get, uri=self.uri(path))
        except Missing:
            return None

    def write(self, path: str, data: bytes, *, expected: str = ANY) -> str:
        return self._upload(path, expected).whole(data)

    def upload(self, local: Path, path: str, *, expected: str = ANY) -> Stored:
        return self._upload(path, expected).file(local, self._part)

    def download(self, path: str, local: Path) -> bool:
        return download(self._connection, self._bucket, self._key(path), self.uri(path), local, self._part)

    def versions(self, start: str) -> dict[str, str]:
        found = {self._path(str(item["Key"])): str(item["ETag"]) for item in self._objects(self._key(start))}
        return {path: version for path, version in sorted(found.items()) if _is_artefact(path)}

    def list(self, prefix: str) -> Iterator[str]:
        yield from self.versions(f"{prefix}/")

    def delete(self, path: str) -> None:
        self._delete(self._key(path))

    def sweep(self, prefix: str) -> int:
        return abort_remains(self._connection, self._bucket, self._key(f"{prefix}/"))

    def clear(self) -> int:
        assert self._prefix, "never a whole bucket"
        keys = [str(item["Key"]) for item in self._objects(self._key(""))]
        # Manifests first: an artefact is whole until its manifest is gone, and then it is none.
        for key in sorted(keys, key=lambda key: not key.endswith(MANIFEST)):
            self._delete(key)
        abort_remains(self._connection, self._bucket, self._key(""))
        return len(keys)

    def _delete(self, key: str) -> None:
        self._connection.run(
            "DeleteObject", lambda client: client.delete_object(Bucket=self._bucket, Key=key)
        )

    def _upload(self, path: str, expected: str) -> Upload:
        return Upload(self._connection, self._bucket, self._key(path), self.uri(path), expected)

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        place: dict[str, str] = {}
        while True:
            page = self._page(prefix, place)
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            place = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: str, place: dict[str, str]) -> dict[str, Any]:
        page: dict[str, Any] = self._connection.run(
            "ListBucket",
            lambda client: client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **place),
        )
        return page

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _path(self, key: str) -> str:
        return key.removeprefix(f"{self._prefix}/") if self._prefix else key


def _is_artefact(path: str) -> bool:
    """Some programs make an object of each folder; probes are no artefacts."""
    return not path.endswith("/") and not path.rpartition("/")[2].startswith(PARTIAL)
