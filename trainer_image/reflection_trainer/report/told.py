"""What the models said about the fixed failures, base and trained side by side: counts over all, and a seeded sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import Any

from reflection_api.layout import MANIFEST, stage_path
from reflection_api.stages import Stage

from ..evaluate.transcripts import Transcript as Said
from ..evaluate.transcripts import read_rows
from ..seeds import derived_seed
from ..storage import Artifacts
from .content import Outcomes, Phrase, Transcript

_SAMPLE = 1000
"""Transcripts in the report at most: the Parquet files hold all of them."""
_SAMPLE_CHARACTERS = 4_000_000
"""Characters of all of them: a page that a phone still opens."""
_TEXT_CHARACTERS = 4000
"""Characters of one text."""
_PHRASES = 8
_PHRASE_CHARACTERS = 200
"""A longer reflection is no phrase that comes again, and need not be kept in memory."""
_BASE, _TRAINED = "base-second-", "trained-second-"
_Pair = tuple[Said, Said]


def told(artifacts: Artifacts, number: int, seed: int, workdir: Path) -> dict[str, Any]:
    """The parts of a round's content that come from the transcripts; one shard of answers at a time is in memory."""
    counts = _Counts()

    def rank(pair: _Pair) -> tuple[int, str, int]:
        base = pair[0]
        return derived_seed(seed, "report", base.question_id, base.attempt), base.question_id, base.attempt

    drawn = nsmallest(_SAMPLE, counts.passing(_pairs(artifacts, number, workdir)), key=rank)
    return {
        "outcomes": counts.outcomes(),
        "phrases_base": counts.phrases(0),
        "phrases_trained": counts.phrases(1),
        "transcripts": list(_within(_SAMPLE_CHARACTERS, map(_side_by_side, drawn))),
    }


@dataclass
class _Counts:
    """Counted while the pairs pass by."""

    right: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    said: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    right_after: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))

    def passing(self, pairs: Iterable[_Pair]) -> Iterator[_Pair]:
        for pair in pairs:
            self.right[pair[0].retry_correct, pair[1].retry_correct] += 1
            for who, row in enumerate(pair):
                text = " ".join(row.reflection.split())
                if 0 < len(text) <= _PHRASE_CHARACTERS:
                    self.said[who][text] += 1
                    self.right_after[who][text] += row.retry_correct
            yield pair

    def outcomes(self) -> Outcomes:
        return Outcomes(
            trained_only=self.right[False, True],
            base_only=self.right[True, False],
            both=self.right[True, True],
            neither=self.right[False, False],
        )

    def phrases(self, who: int) -> list[Phrase]:
        frequent = sorted(self.said[who].items(), key=lambda item: (-item[1], item[0]))[:_PHRASES]
        return [
            Phrase(text=text, count=count, right=self.right_after[who][text])
            for text, count in frequent
            if count > 1
        ]


def _pairs(artifacts: Artifacts, number: int, workdir: Path) -> Iterator[_Pair]:
    """What both models made of each fixed failure. The base model's answers lie in the first round's folder."""
    trained_folder, base_folder = (stage_path(n, Stage.EVALUATE) for n in (number, 1))
    for path in artifacts.store.list(trained_folder):
        name = path.removesuffix(f".{MANIFEST}").removeprefix(f"{trained_folder}/")
        if path.endswith(f".{MANIFEST}") and name.startswith(_TRAINED):
            shard = name.removeprefix(_TRAINED)
            base = _fixed(artifacts, f"{base_folder}/{_BASE}{shard}", workdir)
            trained = _fixed(artifacts, f"{trained_folder}/{name}", workdir)
            yield from ((base[key], trained[key]) for key in base.keys() & trained.keys())


def _fixed(artifacts: Artifacts, path: str, workdir: Path) -> dict[tuple[str, int], Said]:
    local = workdir / path.replace("/", "-")
    if artifacts.get_file(path, local) is None:
        return {}
    rows = {(row.question_id, row.attempt): row for row in read_rows(local, Said) if row.fixed}
    local.unlink()
    return rows


def _side_by_side(pair: _Pair) -> Transcript:
    base, trained = pair
    return Transcript(
        question=_cut(base.question),
        failed=_cut(base.failed),
        reason=base.reason,
        base_reflection=_cut(base.reflection),
        base_retry=_cut(base.retry),
        base_correct=base.retry_correct,
        base_reason=base.retry_reason,
        trained_reflection=_cut(trained.reflection),
        trained_retry=_cut(trained.retry),
        trained_correct=trained.retry_correct,
        trained_reason=trained.retry_reason,
    )


def _cut(text: str) -> str:
    if len(text) <= _TEXT_CHARACTERS:
        return text
    return f"{text[:_TEXT_CHARACTERS]}\n[... {len(text) - _TEXT_CHARACTERS:,} more characters]"


def _within(characters: int, transcripts: Iterable[Transcript]) -> Iterator[Transcript]:
    """The first transcripts that together stay within so many characters; one at least."""
    used = 0
    for row in transcripts:
        size = sum(len(value) for value in row.model_dump().values() if isinstance(value, str))
        if used and used + size > characters:
            return
        used += size
        yield row
