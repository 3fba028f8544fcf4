"""Where the pods of a run report their progress."""

from __future__ import annotations

from typing import NamedTuple


class ProgressPlace(NamedTuple):
    """A server of the operator's own."""

    url: str
    """What reports are posted to."""
    authority: str
    """Certificate of the authority that signs the server's, as PEM."""
