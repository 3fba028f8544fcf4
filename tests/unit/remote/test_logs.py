"""Which pods' logs, and lines that a terminal can take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.stages import Stage
from reflection_operator.remote.logs import Wanted, _lines, chosen


def pod(stage: str, attempt: int = 1, index: int = 0, *, created: str = "2026-08-01T12:00:00Z") -> dict:
    job = f"countdown-1a2b3c4d-r1-{stage}-{attempt}"
    return {
        "metadata": {
            "name": f"{job}-{index}-abcde",
            "creationTimestamp": created,
            "labels": {
                "batch.kubernetes.io/job-name": job,
                "batch.kubernetes.io/job-completion-index": str(index),
                "reflection.training/round": "1",
                "reflection.training/stage": stage,
            },
        }
    }


LATER = "2026-08-01T13:00:00Z"
PODS = [
    pod("rollout", index=1),
    pod("rollout", index=0),
    pod("train", 1, created=LATER),
    pod("train", 2, created="2026-08-01T14:00:00Z"),
]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["train-2-0"]),
        (Wanted(stage=Stage.ROLLOUT), ["rollout-1-0", "rollout-1-1"]),
        (Wanted(stage=Stage.ROLLOUT, index=1), ["rollout-1-1"]),
        (Wanted(stage=Stage.VERIFY), []),
    ],
)
def test_the_newest_attempts_pods(wanted: Wanted, names: list[str]) -> None:
    found = chosen([*PODS, {"metadata": {"name": "somebody-elses", "labels": 3}}], wanted)
    assert [
        each.name.removeprefix("countdown-1a2b3c4d-r1-").removesuffix("-abcde") for each in found
    ] == names


def lines(*pieces: bytes) -> list[str]:
    async def given_pieces() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def collect() -> list[str]:
        return [line async for line in _lines(given_pieces())]

    return asyncio.run(collect())


def test_lines_are_whole_whatever_the_pieces() -> None:
    assert lines(b"one\ntw", b"o\nth", b"ree") == ["one", "two", "three"]
    assert lines("ü".encode()[:1], "ü".encode()[1:] + b"\n") == ["ü"]


def test_what_a_model_wrote_does_nothing_to_the_terminal() -> None:
    assert lines(b"\x1b[2J\x1b]0;title\x07 gone\r\n\xff\n") == ["[2J]0;title gone", "\ufffd"]


def test_a_line_without_an_end_is_cut() -> None:
    assert [len(line) for line in lines(b"x" * 40_000)] == [16_384, 16_384, 7_232]


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_any_bytes_are_lines(pieces: list[bytes]) -> None:
    assert all(line.isprintable() or "\t" in line or not line.isascii() for line in lines(*pieces))
