"""From a URI to its store."""

from __future__ import annotations

from reflection_api.reasons import Reason

from ..errors import BadConfig
from .file_store import FileStore
from .store import Store


def open_store(uri: str) -> Store:
    """The store of a root URI.

    Raises:
        BadConfig: the URI's scheme has no store.
    """
    if uri.startswith("file:///"):
        return FileStore(uri)
    raise BadConfig(
        f"spec.storage.uri: {uri}: only file:///absolute/folder can be written by this version",
        reason=Reason.INVALID_SPEC,
    )
