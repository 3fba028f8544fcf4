"""The model card, and what a training was made from."""

from __future__ import annotations

import pytest
import yaml
from reflection_api.manifests import Provenance
from reflection_trainer.train.origin import training_origin
from reflection_trainer.train.published import model_card

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
    ("changes", "difference"),
    [
        ({}, None),
        ({"checkpoint": {"everySteps": 7}}, None),
        ({"learningRate": 0.1}, "training.learningRate: 5e-07, not 0.1"),
        ({"method": {"beta": 0}}, "training.method.beta: 0.001, not 0.0"),
        ({"lora": {"rank": 4}}, "training.lora.alpha: None, not 32"),
        ({"sha256": "b"}, "training.failures: 'a', not 'b'"),
        ({"policy": "hf://org/other"}, None),
    ],
)
def test_the_origin_holds_every_setting_that_changes_the_weights(tmp_path, changes, difference):
    """The policy itself stands in the dataset's part, which is handed in here."""
    assert origin(tmp_path).difference(origin(tmp_path, **changes)) == difference


def test_an_origin_is_the_same_after_it_was_stored(tmp_path):
    made = origin(tmp_path, lora={"rank": 4})
    assert Provenance.model_validate_json(made.to_json()).difference(made) is None
