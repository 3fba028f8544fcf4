"""The model card, and what a training was made from."""

from __future__ import annotations

import pytest
import yaml
from reflection_api.manifests import Manifest, Provenance
from reflection_trainer.train.origin import dataset_origin, training_origin
from reflection_trainer.train.published import model_card
from reflection_trainer.verify.configured import task_verifier

from .contexts import config

FIGURES = {"reward": 0.81234, "leakShare": 0.0, "steps": 250}


def card(tmp_path, **changes):
    return model_card(config(tmp_path, **changes), FIGURES, 1587, {"trl": "1.16.0"})


def test_the_card_says_what_the_model_was_trained_on_and_how(tmp_path):
    text = card(tmp_path, learningRate=1e-4, maxSteps=250, method={"beta": 0.001})
    for words in (
        "round 1 of 2", "| Base model | hf://org/name at v1 |", "| Failed answers | 1,587 |", "| Verifier | exact {} |",
        "| Learning rate | 0.0001, cosine, warm-up 0.03 |", "| KL weight (beta) | 0.001 |", "| Trained weights | all |",
        "| reward | 0.8123 |", "| trl | 1.16.0 |", "Only the tokens of the reflections were trained",
    ):  # fmt: skip
        assert words in text
    assert "rank 8, merged" in card(tmp_path, lora={"rank": 8})


@pytest.mark.parametrize(("model", "base"), [("hf://org/name", "org/name"), ("file:///models/mine", None)])
def test_the_metadata_name_a_base_model_that_the_hub_knows(tmp_path, model, base):
    _, metadata, _ = card(tmp_path, model=model).split("---\n", 2)
    found = yaml.safe_load(metadata)
    assert found.get("base_model") == base
    assert found["pipeline_tag"] == "text-generation"


def origin(tmp_path, sha256="a", **settings):
    return training_origin(config(tmp_path, **settings), Provenance(model={"uri": "hf://org/name"}), sha256)


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({}, {}),
        ({"checkpoint": {"everySteps": 7}}, {}),
        ({"learningRate": 0.1}, {"training.learningRate": (5e-07, 0.1)}),
        ({"method": {"beta": 0}}, {"training.method.beta": (0.001, 0.0)}),
        (
            {"lora": {"rank": 4}},
            {
                "training.lora.alpha": (None, 32),
                "training.lora.rank": (None, 4),
                "training.lora.targetModules": (None, []),
            },
        ),
        ({"sha256": "b"}, {"training.failures": ("a", "b")}),
        ({"policy": "hf://org/other"}, {}),
    ],
)
def test_the_origin_holds_every_setting_that_changes_the_weights(tmp_path, changes, differences):
    """The policy itself stands in the dataset's part, which is handed in here."""
    assert origin(tmp_path).differences(origin(tmp_path, **changes)) == differences


def test_an_origin_is_the_same_after_it_was_stored(tmp_path):
    made = origin(tmp_path, lora={"rank": 4})
    assert Provenance.model_validate_json(made.to_json()).differences(made) == {}


@pytest.mark.parametrize(
    ("now", "differences"), [("questions", set()), ("others", {"prompts.sha256", "prompts.uri"})]
)
def test_a_prompts_file_that_lies_elsewhere_is_looked_at_again(tmp_path, now, differences):
    read, moved = tmp_path / "read.jsonl", tmp_path / "now.jsonl"
    read.write_text("questions")
    moved.write_text(now)
    made = expected_origin(tmp_path, read, Provenance(prompts={"sha256": "of no file"}))
    assert set(made.differences(expected_origin(tmp_path, moved, made))) == differences


def test_a_prompts_file_is_not_looked_at_where_it_was_read(tmp_path):
    (tmp_path / "read.jsonl").write_text("questions")
    made = expected_origin(tmp_path, tmp_path / "read.jsonl", Provenance())
    (tmp_path / "read.jsonl").unlink()
    assert made.differences(expected_origin(tmp_path, tmp_path / "read.jsonl", made)) == {}


def expected_origin(tmp_path, prompts_file, found):
    """What the dataset of failures must have been made from; `found` is what it says itself."""
    settings = config(tmp_path)
    prompts = settings.task.prompts.model_copy(update={"uri": prompts_file.as_uri()})
    task = settings.task.model_copy(update={"prompts": prompts})
    manifest = Manifest(kind="failures", files=[], provenance=found)
    return dataset_origin(settings.model_copy(update={"task": task}), task_verifier(task), tmp_path, manifest)
