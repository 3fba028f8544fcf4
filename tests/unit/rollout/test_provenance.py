"""Whatever changes the answers or failures changes the provenance, and its name is in the message."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig
from reflection_trainer.provenance import dataset_provenance, refuse_other_provenance
from reflection_trainer.verify.configured import task_verifier
from reflection_trainer.verify.countdown import Countdown

from ...support.stage_runs import countdown_rows, stage_config, write_prompts


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Provenance reads bytes: nothing has to load."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return write_prompts(tmp_path / "train.jsonl", countdown_rows(3))


def provenance(
    tmp_path: Path, model: Path, prompts: Path, changes: dict[str, Any] | None = None
) -> Provenance:
    config = stage_config(
        "rollout", folder=tmp_path, model="file:///model", prompts="file:///train.jsonl", changes=changes
    )
    return dataset_provenance(config, task_verifier(config.task), model_dir=model, prompts_file=prompts)


def difference(before: Provenance, after: Provenance) -> str:
    with pytest.raises(BadConfig) as caught:
        refuse_other_provenance(
            Manifest(kind="attempts", files=[], provenance=before), after, "file:///runs/x"
        )
    assert caught.value.reason == Reason.DATASET_MISMATCH
    return caught.value.message


def test_the_same_things_give_the_same_provenance(tmp_path: Path, model: Path, prompts: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "README.md").write_text("another text says nothing about the answers")
    before, after = provenance(tmp_path, model, prompts), provenance(tmp_path, copy, prompts)
    assert before.differences(after) == {}
    read_back = Manifest.model_validate_json(
        Manifest(kind="a", files=[], provenance=before).to_json()
    ).provenance
    assert read_back.differences(after) == {}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("rollout.sampling.temperature", 0.5, "sampling.temperature: 1.0, not 0.5"),
        ("rollout.sampling.topP", 0.5, "sampling.topP: 1.0, not 0.5"),
        ("rollout.sampling.topK", 5, "sampling.topK: 0, not 5"),
        ("rollout.sampling.maxTokens", 9, "sampling.maxTokens: 8, not 9"),
        ("rollout.sampling.seed", 1, "sampling.seed: 0, not 1"),
        ("rollout.attemptsPerPrompt", 2, "sampling.attemptsPerPrompt: 4, not 2"),
        ("rollout.engine", "vllm", "sampling.engine: 'transformers', not 'vllm'"),
        ("task.prompts.limit", 2, "prompts.limit: None, not 2"),
        ("task.prompts.seed", 2, "prompts.seed: 0, not 2"),
        ("task.columns", {"target": "answer"}, "prompts.columns.target: None, not 'answer'"),
        ("task.failures.deduplicate", True, "verifier.deduplicate: False, not True"),
        (
            "task.verifier",
            {"builtin": {"name": "exact"}},
            "verifier.name: 'countdown', not 'exact'; verifier.options.ignoreCase: None, not False; "
            "verifier.options.strip: None, not True; ",
        ),
        ("task.templates.reflection", "why", "templates.reflection: '"),
        ("task.templates.system", "be brief", "templates.system: None, not '"),
        ("evaluation.prompts", {"uri": "file:///held.jsonl"}, "prompts.heldOutShare: 0.1, not 0"),
    ],
)
def test_every_setting_that_matters_is_named(
    tmp_path: Path, model: Path, prompts: Path, field: str, value: Any, named: str
) -> None:
    before, after = provenance(tmp_path, model, prompts), provenance(tmp_path, model, prompts, {field: value})
    message = difference(before, after)
    assert message.startswith(f"storage: file:///runs/x was made with other settings: {named}")
    assert message.endswith("use another name or spec.storage.uri, or delete the folder it is in")


@pytest.mark.parametrize(
    ("made", "wanted", "named"),
    [
        (
            {"builtin": {"name": "exact"}},
            {"builtin": {"name": "exact", "options": {"strip": False}}},
            "verifier.options.strip: True, not False",
        ),
        (
            {"http": {"url": "http://127.0.0.1:8080"}},
            {"http": {"url": "http://127.0.0.1:8081"}},
            "verifier.options.url: 'http://127.0.0.1:8080', not 'http://127.0.0.1:8081'",
        ),
        (
            {"container": {"image": "rules:1"}},
            {"container": {"image": "rules:2"}},
            "verifier.options.image: 'rules:1', not 'rules:2'",
        ),
    ],
)
def test_an_option_of_the_verifier_is_named(
    tmp_path: Path, model: Path, prompts: Path, made: Any, wanted: Any, named: str
) -> None:
    before, after = (
        provenance(tmp_path, model, prompts, {"task.verifier": verifier}) for verifier in (made, wanted)
    )
    assert f"made with other settings: {named}; use another name" in difference(before, after)


def test_the_version_of_the_verifiers_rule_is_part_of_it(
    tmp_path: Path, model: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = provenance(tmp_path, model, prompts)
    monkeypatch.setattr(Countdown, "version", Countdown.version + 1)
    message = difference(before, provenance(tmp_path, model, prompts))
    assert (
        f": verifier.version: {Countdown.version - 1}, not {Countdown.version}; use another name" in message
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rollout.workers", 7),
        ("training.maxSteps", 5),
        ("attempt", 3),
        ("policy.uri", "file:///copies/model"),
        ("policy", {"uri": "hf://org/model", "revision": "v1"}),
        ("task.prompts.uri", "s3://bucket/copies/train.jsonl"),
    ],
)
def test_what_does_not_matter_is_left_out(
    tmp_path: Path, model: Path, prompts: Path, field: str, value: Any
) -> None:
    before, after = provenance(tmp_path, model, prompts), provenance(tmp_path, model, prompts, {field: value})
    assert before.differences(after) == {}


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("config.json", "model.sha256"),
        ("model.safetensors", "model.sha256"),
        ("tokenizer.json", "tokenizer.sha256"),
        ("chat_template.jinja", "tokenizer.sha256"),
        ("modeling.py", "model.sha256"),
    ],
)
def test_the_bytes_of_a_model_are_part_of_it(
    tmp_path: Path, model: Path, prompts: Path, file: str, named: str
) -> None:
    before = provenance(tmp_path, model, prompts)
    (model / file).write_text("changed")
    assert f": {named}: " in difference(before, provenance(tmp_path, model, prompts))


def test_the_bytes_of_the_prompts_are_part_of_it(tmp_path: Path, model: Path, prompts: Path) -> None:
    before = provenance(tmp_path, model, prompts)
    write_prompts(prompts, countdown_rows(4))
    assert ": prompts.sha256: " in difference(before, provenance(tmp_path, model, prompts))


def test_a_place_is_recorded_although_it_does_not_count(tmp_path: Path, model: Path, prompts: Path) -> None:
    changes = {
        "policy": {"uri": "hf://org/model", "revision": "v1"},
        "task.prompts.uri": "s3://bucket/t.jsonl",
    }
    made = provenance(tmp_path, model, prompts, changes)
    assert (made.model["uri"], made.model["revision"]) == ("hf://org/model", "v1")
    assert made.prompts["uri"] == "s3://bucket/t.jsonl"


@pytest.mark.parametrize("hashes", [(None, None), ("a", None), (None, "a"), ("a", "b")])
@pytest.mark.parametrize("key", ["uri", "revision"])
def test_a_place_counts_unless_the_bytes_are_known_to_be_the_same(
    key: str, hashes: tuple[str | None, ...]
) -> None:
    before, after = (
        Provenance(model={key: place, **({"sha256": sha256} if sha256 else {})})
        for place, sha256 in zip(("here", "there"), hashes, strict=True)
    )
    assert before.differences(after)[f"model.{key}"] == ("here", "there")


def test_all_differences_are_named(tmp_path: Path, model: Path, prompts: Path) -> None:
    changes = {"rollout.sampling.temperature": 0.5, "task.prompts.seed": 7, "rollout.engine": "vllm"}
    before, after = provenance(tmp_path, model, prompts), provenance(tmp_path, model, prompts, changes)
    assert difference(before, after) == (
        "storage: file:///runs/x was made with other settings: prompts.seed: 0, not 7; "
        "sampling.engine: 'transformers', not 'vllm'; sampling.temperature: 1.0, not 0.5; "
        "use another name or spec.storage.uri, or delete the folder it is in"
    )


def test_many_and_long_differences_leave_room_for_the_remedy() -> None:
    before = Provenance(sampling={f"setting{number}": f"{number}" * 1000 for number in range(9)})
    message = difference(before, Provenance())
    assert "sampling.setting4: '444" in message
    assert "...; 4 more; use another name" in message.replace(", not None", "")
    assert len(message) < 1024
