"""Which failures each optimizer step sees: one long row of shuffled passes over all failures, and how far it has been drawn.

The failure at a position is a function of seed and position alone, computed and never stored: memory does not grow with the
number of failures, and a run that resumes at a position goes on exactly as one that was never stopped. TRL's own sampler keeps
one random generator for the whole run: resumed in its second pass over the data it would replay the first one's order.
"""

from __future__ import annotations

import hashlib

from ..seeds import derived_seed

_ROUNDS = 8


class Deck:
    """All failures, shuffled anew for each pass; passes are joined without a gap."""

    def __init__(self, failures: int, *, seed: int) -> None:
        self._failures = failures
        self._seed = seed
        self.position = 0
        """How many have been drawn, by all processes together."""

    def draw(self, count: int) -> list[int]:
        """Draw so many failures, by their number. All processes draw the same, and so stay at the same position."""
        start = self.position
        self.position += count
        return [self.at(position) for position in range(start, self.position)]

    def at(self, position: int) -> int:
        """The failure at a position, counted from 0."""
        number, offset = divmod(position, self._failures)
        return shuffled(offset, self._failures, key=derived_seed(self._seed, "failures", number))


def shuffled(index: int, count: int, *, key: int) -> int:
    """Where `index` goes in the permutation of `count` numbers that belongs to `key`.

    A Feistel network permutes the numbers below a power of four; what falls outside goes through it again until it is inside.
    """
    half = ((count - 1).bit_length() + 1) // 2
    secret = key.to_bytes(8, "little", signed=False)
    while True:
        left, right = index >> half, index & ((1 << half) - 1)
        for number in range(_ROUNDS):
            left, right = right, left ^ _mixed(right, number, half, secret)
        index = left << half | right
        if index < count:
            return index


def _mixed(value: int, number: int, bits: int, secret: bytes) -> int:
    """Pseudo-random bits of a value and a round."""
    digest = hashlib.blake2b(value.to_bytes(8, "little"), digest_size=8, key=secret, salt=bytes([number]))
    return int.from_bytes(digest.digest(), "little") & ((1 << bits) - 1)
