"""The verify stage: audits the verifier, judges every answer and keeps the wrong ones as the dataset of failures.

What came of the audit is kept beside the dataset. One shard of answers becomes one shard of failures; a shard with its manifest
is not judged again. The dataset as a whole exists with `verify/manifest.json`.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from reflection_api.contract import StageResult
from reflection_api.layout import shard_name
from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from ..errors import CorruptArtifact
from ..provenance import refuse_other_provenance
from .audited import audited
from .configured import task_verifier
from .dataset import STEM
from .shards import attempt_shards
from .sift import Sift
from .verifier import Verifier


def run(context: StageContext) -> StageResult:
    """Judge the answers of the round."""
    verifier = task_verifier(context.config.task)
    answers = attempt_shards(context, verifier)
    # Only one pod judges: what an attempt that was killed left half-written is nobody's any more.
    context.artifacts.store.sweep(context.path(Stage.VERIFY))
    audit = audited(context, verifier, answers)
    judging = Judging(context, verifier, answers)
    shards = [judging.judged(index, path) for index, path in enumerate(answers)]
    counts: Counter[str] = Counter()
    for shard in shards:
        counts.update({name: int(value) for name, value in shard.metrics.items() if name != _SECONDS})
    artifact = context.artifacts.seal_folder(
        context.path(Stage.VERIFY),
        [entry for shard in shards for entry in shard.files],
        kind="failures",
        rows=counts["failures"],
        metrics=dict(counts),
        provenance=judging.provenance,
    )
    return StageResult(
        stage=Stage.VERIFY,
        outcome="Succeeded",
        reason=(Reason.COMPLETED if counts["failures"] else Reason.NO_FAILURES).value,
        message=_summary(counts),
        note=_note(counts),
        metrics=_headline(counts),
        audit=audit,
        artifacts=[artifact],
    )


_REASON = "reason."
_SECONDS = "seconds"
"""What a shard took, beside its counts: the report adds it up."""
_MOST_REASONS = 20


class Judging:
    """Turns shards of answers into shards of failures."""

    def __init__(self, context: StageContext, verifier: Verifier, answers: dict[str, Manifest]) -> None:
        self._context, self._answers = context, answers
        self._sift = Sift(verifier, deduplicate=context.config.task.failures.deduplicate)
        self._progress = context.progress(
            unit="answers", total=sum(shard.rows or 0 for shard in answers.values())
        )
        self.provenance = _shared_provenance(context, answers)

    def judged(self, index: int, path: str) -> Manifest:
        """The manifest of a shard of failures, which is made if it is not there.

        Raises:
            CorruptArtifact: the answers do not match their manifest.
            BadConfig: the failures that are there were made with other settings (reason DatasetMismatch).
        """
        target = self._context.path(Stage.VERIFY, shard_name(STEM, index, len(self._answers)))
        manifest = self._context.artifacts.manifest_of_file(target)
        if manifest is None:
            self._judge(path, target)
            return self._written(target)
        refuse_other_provenance(manifest, self.provenance, self._context.artifacts.store.uri(target))
        self._progress.skip(self._progress.done + (self._answers[path].rows or 0))
        return manifest

    def _judge(self, path: str, target: str) -> None:
        answers, failures = (self._context.workdir / Path(name).name for name in (path, target))
        self._context.artifacts.get_file(path, answers)
        before, began = self._progress.done, time.monotonic()
        counts = self._sift.run(answers, failures, lambda done: self._progress.update(before + done))
        self._context.artifacts.put_file(
            failures,
            target,
            kind="failures",
            rows=counts["failures"],
            metrics={**counts, _SECONDS: round(time.monotonic() - began, 3)},
            provenance=self.provenance,
        )
        answers.unlink()
        failures.unlink()

    def _written(self, target: str) -> Manifest:
        manifest = self._context.artifacts.manifest_of_file(target)
        if manifest is None:
            raise CorruptArtifact(
                f"storage: {self._context.artifacts.store.uri(target)} vanished while it was written"
            )
        return manifest


def _headline(counts: Counter[str]) -> dict[str, float]:
    """As many counts as a result holds: the reasons of an own verifier are its own, and may be many."""
    reasons = {name: count for name, count in counts.most_common() if name.startswith(_REASON)}
    rare = list(reasons)[_MOST_REASONS:]
    shown: dict[str, float] = {name: count for name, count in counts.items() if name not in rare}
    return shown | ({f"{_REASON}others": sum(reasons[name] for name in rare)} if rare else {})


def _shared_provenance(context: StageContext, answers: dict[str, Manifest]) -> Provenance:
    """What all shards of answers were made from."""
    (first, *others) = answers.items()
    for path, manifest in others:
        refuse_other_provenance(manifest, first[1].provenance, context.artifacts.store.uri(path))
    return first[1].provenance


def _note(counts: Counter[str]) -> str:
    notes = []
    if counts["duplicates"]:
        what = "1 duplicate" if counts["duplicates"] == 1 else f"{counts['duplicates']:,} duplicates"
        notes.append(f"{what} left out (spec.task.failures.deduplicate)")
    if counts["failures"] and not counts["correct"]:
        # It may be so, and a trained retry may be right; more often a rule or a form does not fit.
        notes.append(
            "no answer is right: see in the report why, and whether spec.task.verifier fits the form in which the model answers"
        )
    return "; ".join(notes)


def _summary(counts: Counter[str]) -> str:
    if not counts["failures"]:
        return (
            f"all {counts['attempts']} answers are right: there is nothing to learn from; use harder prompts"
        )
    return f"{counts['attempts']} answers: {counts['correct']} right, {counts['failures']} failures"
