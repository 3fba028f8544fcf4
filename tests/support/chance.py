"""Chance that can be repeated."""

from __future__ import annotations

import random


def drawn_seed() -> int:
    """A seed that is another one each time. A test that fails shows it: in place of the call it repeats the same draws."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"drawn seed: {seed}")
    return seed
