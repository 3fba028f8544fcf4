"""Seeds that follow from what they are for, so that a repeated piece of work draws the same tokens."""

from __future__ import annotations

import hashlib

_SEED_BITS = 31


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose: equal for equal arguments on every machine, unrelated for others."""
    text = "\x1f".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - _SEED_BITS)
