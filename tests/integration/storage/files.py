"""Local files whose every MiB is another one."""

from __future__ import annotations

import random
from pathlib import Path

from reflection_trainer.storage.s3.parts import MIB

PART = 5 * MIB
"""The smallest that S3 takes: as many parts as with the default, in less time."""


def local_file(folder: Path, size: int, name: str = "local") -> Path:
    """A file of this size; files of different names differ everywhere."""
    block, file = random.Random(name).randbytes(MIB - 4), folder / name
    with file.open("wb") as out:
        for number in range(size // MIB):
            out.write(number.to_bytes(4, "big") + block)
        out.write(block[: size % MIB])
    return file
