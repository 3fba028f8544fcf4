"""Rows into two files of JSON lines, split without leakage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from reflection_api.reasons import Reason

from ..errors import BadConfig
from ..prompts.split import held_out_keys, sampled_rows
from .row import TaskRow

TRAIN, HELD_OUT = "train.jsonl", "heldout.jsonl"


def free_folder(out: str, *, force: bool) -> Path:
    """The folder to write into, made where it is missing.

    Raises:
        BadConfig: it holds prompts files already, and they are not to be replaced.
    """
    folder = Path(out)
    there = [] if force else [name for name in (TRAIN, HELD_OUT) if (folder / name).exists()]
    if there:
        raise BadConfig(
            f"--out {out}: {there[0]} is there already; give another folder, or --force to replace it",
            reason=Reason.INVALID_SPEC,
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_split(
    rows: Sequence[TaskRow], folder: Path, *, count: int | None, share: float, seed: int
) -> dict[Path, int]:
    """Write a sample of the rows, each file whole or not at all; the number of rows by file.

    Raises:
        BadConfig: there are not two different questions, so that none could be held out.
    """
    sample = sampled_rows(len(rows), count, seed)
    chosen = rows if sample is None else [row for index, row in enumerate(rows) if index in sample]
    held_out = held_out_keys((row.key for row in chosen), seed, share)
    if not held_out:
        raise BadConfig(
            "all rows have one question, so that none can be held out; give at least two different ones",
            reason=Reason.INVALID_SPEC,
        )
    sides = {
        TRAIN: [row for row in chosen if row.key not in held_out],
        HELD_OUT: [row for row in chosen if row.key in held_out],
    }
    return {_write(folder / name, side): len(side) for name, side in sides.items()}


def _write(path: Path, rows: Sequence[TaskRow]) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row.columns, ensure_ascii=False) + "\n" for row in rows)
    partial.replace(path)
    return path
