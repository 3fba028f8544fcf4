"""A model's answers in storage: whole shards only, and only of the same origin."""

from __future__ import annotations

import dataclasses

import pytest
from reflection_api.manifests import Provenance
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_trainer.context import StageContext
from reflection_trainer.errors import BadConfig, CorruptArtifact
from reflection_trainer.evaluate.part import BASE, TRAINED, Part
from reflection_trainer.rollout.shards import plan_shards
from reflection_trainer.storage import Artifacts, open_store

from .scripted import config, question
from .test_result import first, second

ORIGIN = Provenance(model={"sha256": "one"})
SHARDS = plan_shards([question(n) for n in range(1, 200)], attempts_per_prompt=4, workers=1)
ROWS = [first("a", 0, True), first("a", 1, False)], [second("a", 1, True, fixed=True, fresh=False)]


@pytest.fixture
def context(tmp_path):
    settings = config(tmp_path)
    return StageContext(settings, Artifacts(open_store(settings.run_uri)), tmp_path, 0)


def in_round(context, number):
    return dataclasses.replace(context, config=context.config.model_copy(update={"round": number}))


def test_stored_answers_are_found_again_shard_by_shard(context):
    Part(context, BASE, ORIGIN, SHARDS).put(SHARDS[1], *ROWS, {"seconds": 2.5})
    again = Part(context, BASE, ORIGIN, SHARDS)
    assert [again.has(shard) for shard in SHARDS[:3]] == [False, True, False]
    assert (again.first_answers(SHARDS[1]), again.transcripts(SHARDS[1])) == ROWS


def test_a_shard_of_which_half_is_written_is_not_there(context):
    part = Part(context, BASE, ORIGIN, SHARDS)
    part.put(SHARDS[0], *ROWS, {})
    folder = context.path(Stage.EVALUATE)
    context.artifacts.store.delete(
        f"{folder}/base-second-00000-of-{SHARDS[0].count:05d}.parquet.manifest.json"
    )
    assert not Part(context, BASE, ORIGIN, SHARDS).has(SHARDS[0])


def test_answers_of_another_origin_are_refused_with_the_difference(context):
    Part(context, TRAINED, ORIGIN, SHARDS).put(SHARDS[0], *ROWS, {})
    with pytest.raises(BadConfig, match=r"model\.sha256: 'one', not 'two'") as caught:
        Part(context, TRAINED, Provenance(model={"sha256": "two"}), SHARDS)
    assert caught.value.reason is Reason.DATASET_MISMATCH
    Part(
        context, BASE, Provenance(model={"sha256": "two"}), SHARDS
    )  # the other model's answers are not these


def test_answers_in_another_number_of_shards_are_refused_too(context):
    """More attempts per question change the shards, and so the names of the files."""
    Part(context, BASE, ORIGIN, SHARDS).put(SHARDS[0], *ROWS, {})
    more = plan_shards([question(n) for n in range(1, 200)], attempts_per_prompt=16, workers=1)
    assert more[0].name != SHARDS[0].name
    with pytest.raises(BadConfig, match="attemptsPerPrompt"):
        Part(context, BASE, Provenance(model={"sha256": "one"}, sampling={"attemptsPerPrompt": 16}), more)


def test_the_base_model_s_answers_are_shared_by_all_rounds_and_the_trained_one_s_are_not(context):
    for who in (BASE, TRAINED):
        Part(context, who, ORIGIN, SHARDS).put(SHARDS[0], *ROWS, {})
    later = in_round(context, 2)
    assert Part(later, BASE, ORIGIN, SHARDS).has(SHARDS[0])
    assert not Part(later, TRAINED, ORIGIN, SHARDS).has(SHARDS[0])


def test_changed_bytes_are_never_read(context, tmp_path):
    part = Part(context, BASE, ORIGIN, SHARDS)
    part.put(SHARDS[0], *ROWS, {})
    file = next((tmp_path / "runs").rglob("base-first-*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptArtifact, match="does not match its manifest"):
        part.first_answers(SHARDS[0])


def test_the_digest_tells_other_failures_apart(context):
    part = Part(context, BASE, ORIGIN, SHARDS)
    for shard in SHARDS:
        part.put(shard, *ROWS, {})
    before = part.digest()
    assert before == Part(context, BASE, ORIGIN, SHARDS).digest()
    part.put(SHARDS[2], [first("a", 0, False)], [], {})
    assert part.digest() != before
