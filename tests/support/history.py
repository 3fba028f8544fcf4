"""What becomes of the objects below a path, read as it happens: an API server forgets it when much else has happened since."""

from __future__ import annotations

import json
import threading

import httpx

from .access import Access
from .cluster import Obj, until


class History:
    """The changes after a version."""

    def __init__(self, plane: Access, path: str, since: str) -> None:
        self._changes: list[Obj] = []
        self._over = False
        query = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true"}
        threading.Thread(target=self._read, args=(plane.client(None), path, query), daemon=True).start()

    def up_to(self, last: Obj | None) -> list[Obj]:
        """Those up to the one that made an object what it is, or of one that is gone all; no more are read then."""
        version = last and last["metadata"]["resourceVersion"]

        def known() -> list[Obj] | None:
            for number, each in enumerate(self._changes):
                if _version(each) == version if version else each["type"] == "DELETED":
                    return self._changes[: number + 1]
            return None

        found = until(known, f"version {version}" if version else "deletion")
        self.end()
        return found

    def end(self) -> None:
        """Read no more."""
        self._over = True

    def _read(self, client: httpx.Client, path: str, query: dict[str, str]) -> None:
        try:
            # A bookmark comes about every minute, so that a thread that is to end does.
            with client, client.stream("GET", path, params=query, timeout=None) as answer:
                for line in answer.iter_lines():
                    if self._over:
                        return
                    change = json.loads(line)
                    assert change["type"] != "ERROR", change
                    if change["type"] != "BOOKMARK":
                        self._changes.append(change)
        except httpx.TransportError:
            if not self._over:
                raise


def _version(change: Obj) -> str:
    return str(change["object"]["metadata"]["resourceVersion"])
