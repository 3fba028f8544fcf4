"""`file://./path` in a file means a path beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from ..rules import LOCAL_SCHEME

_RELATIVE = f"{LOCAL_SCHEME}./"


def absolute_uris(value: Any, folder: Path) -> None:
    """Put absolute URIs in place of relative ones, in every `uri` below the value."""
    if isinstance(value, dict):
        uri = value.get("uri")
        if isinstance(uri, str) and uri.startswith(_RELATIVE):
            value["uri"] = (folder.resolve() / uri.removeprefix(_RELATIVE)).as_uri()
        for child in value.values():
            absolute_uris(child, folder)


def local_path(uri: str) -> Path | None:
    """The path of a `file://` URI; None for another."""
    return Path(unquote(urlparse(uri).path)) if uri.startswith(LOCAL_SCHEME) else None
