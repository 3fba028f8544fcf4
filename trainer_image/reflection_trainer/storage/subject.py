"""On whose behalf a storage is asked: how messages about it begin and what they advise."""

from __future__ import annotations

from typing import NamedTuple

from reflection_api.reasons import Reason


class Subject(NamedTuple):
    """What somebody wanted from a storage."""

    uri: str
    field: str = "storage"
    missing: Reason = Reason.INVALID_SPEC
    """What a bucket that is not there is called."""
    needs: str = "the prefix needs GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload"
    renew: str = "delete it before its folder is used again"
    """What to do about an object that is damaged."""

    @property
    def where(self) -> str:
        """The beginning of a message."""
        return f"{self.field}: {self.uri}"
