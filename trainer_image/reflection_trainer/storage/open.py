"""From a URI to its store."""

from __future__ import annotations

import json

from pydantic import ValidationError
from reflection_api.reasons import Reason
from reflection_api.spec import StorageSpec

from ..errors import BadConfig
from .file_store import FileStore
from .store import Store
from .subject import Subject


def open_store(uri: str, settings: StorageSpec | None = None, subject: Subject | None = None) -> Store:
    """The store of a root URI.

    Args:
        uri: the root.
        settings: how S3 is reached. Default: as the environment says.
        subject: what messages say. Default: that it is the storage of the settings.

    Raises:
        BadConfig: the URI's scheme has no store.
    """
    if uri.startswith("file:///"):
        return FileStore(uri)
    if uri.startswith("s3://"):
        from .s3 import Connection, S3Store  # takes half a second, and only a trainer has it

        return S3Store(uri, Connection(settings or StorageSpec(uri=uri), subject))
    raise BadConfig(
        f"spec.storage.uri: {uri}: write s3://bucket/prefix or file:///absolute/folder",
        reason=Reason.INVALID_SPEC,
    )


def settings_of(uri: str, settings: str) -> StorageSpec:
    """How the storage of a URI is reached, from a command line.

    Args:
        uri: of the storage, or of a folder in it.
        settings: JSON with endpoint, region and pathStyle, as far as they are given.

    Raises:
        BadConfig: a value is not what spec.storage takes.
    """
    try:
        return StorageSpec.model_validate({**json.loads(settings), "uri": uri})
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['input']}: {first['msg']}"
        raise BadConfig(problem, reason=Reason.INVALID_SPEC) from error
