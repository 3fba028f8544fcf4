"""`python -m reflection_trainer.report`: from what somebody names to a page, also of a run that is not finished."""

from __future__ import annotations

import json

import pytest
from reflection_api.manifests import Provenance
from reflection_api.stages import Stage
from reflection_trainer.report.__main__ import main
from reflection_trainer.report.settings import settings_left
from reflection_trainer.report.stage import run

from .runs import context_of, leave_evaluation, leave_failures, leave_rollout, leave_training
from .test_html import Page

PROVENANCE = Provenance(
    model={"uri": "hf://org/tiny", "revision": "main", "sha256": "0" * 64},
    prompts={"uri": "file:///data/train.jsonl", "seed": 7, "limit": None, "sha256": "0" * 64, "columns": {}},
    sampling={"engine": "vllm", "attemptsPerPrompt": 4, "temperature": 0.9},
    verifier={"name": "countdown", "version": 1, "options": {}, "deduplicate": False},
    training={"failures": "0" * 64, "failuresPerStep": 16, "method": {"numGenerations": 8, "beta": 0.001}},
)


def whole_run(folder):
    context = context_of(folder, **{"evaluation.gates": {"minGain": 0.2}})
    leave_rollout(context)
    leave_failures(context)
    leave_training(context)
    leave_evaluation(context)
    return context


def lines_of(file):
    return Page(file.read_text()).lines


@pytest.mark.parametrize("name", ["the run", "its URI", "a folder above", "the stage"])
def test_every_way_to_name_a_run(tmp_path, name, capsys):
    context = whole_run(tmp_path)
    run(context)
    folder = next((tmp_path / "runs").glob("*/*"))
    page = tmp_path / "page.html"
    if name == "the stage":
        page = folder / "report/index.html"
    else:
        place = {"the run": str(folder), "its URI": folder.as_uri(), "a folder above": str(tmp_path)}[name]
        assert main([place, "--output", str(page)]) == 0
        assert capsys.readouterr().out == f"{page}\n"
    lines = lines_of(page)
    assert "Gates: all met." in lines  # gates stand in the report that the run wrote, and in no manifest
    assert "All" not in lines
    assert f"{folder.as_uri()}" in lines
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix == ".partial") == []
    beside = "report" if name == "the stage" else "page"
    assert {f"{beside}.json", f"{beside}.md"} <= set(lines)
    numbers = json.loads(page.with_name(f"{beside}.json").read_text())
    assert numbers["rounds"][0]["evaluation"]["firstTry"]
    assert f"in {beside}.json beside this file" in page.with_name(f"{beside}.md").read_text()


def test_a_run_that_is_under_way_is_known_by_its_manifests(tmp_path):
    context = context_of(tmp_path)
    leave_rollout(context, provenance=PROVENANCE)
    leave_failures(context)
    settings = settings_left(context.artifacts, 1)
    assert (settings.name, settings.namespace) == ("tiny", "default")
    assert settings.model == {"uri": "hf://org/tiny", "revision": "main"}
    assert settings.task["prompts"] == {"uri": "file:///data/train.jsonl", "seed": 7}
    assert settings.task["verifier"] == {"builtin": {"name": "countdown", "options": {}}}
    assert settings.rollout == {"engine": "vllm", "attemptsPerPrompt": 4, "sampling": {"temperature": 0.9}}
    leave_training(context, provenance=PROVENANCE)
    settings = settings_left(context.artifacts, 1)
    assert settings.training == {"failuresPerStep": 16, "method": {"numGenerations": 8, "beta": 0.001}}
    page = tmp_path / "page.html"
    assert main([str(tmp_path), "--output", str(page)]) == 0
    assert {"Not known", "train.jsonl", "Training"} <= {line.rsplit("/", 1)[-1] for line in lines_of(page)}


def test_the_report_of_another_version_still_says_what_the_run_was_told(tmp_path):
    context = whole_run(tmp_path)
    run(context)
    file = next((tmp_path / "runs").rglob("report.json"))
    document = json.loads(file.read_text()) | {"invented": 1}
    del document["rounds"]
    file.write_text(json.dumps(document))
    assert settings_left(context.artifacts, 1).evaluation["gates"] == {"minGain": 0.2}
    file.write_text("[1")
    assert settings_left(context.artifacts, 1).evaluation == {}


def test_the_rounds_that_were_begun_are_shown(tmp_path):
    whole_run(tmp_path)
    second = context_of(tmp_path, 2)
    leave_rollout(second, 2)
    leave_failures(second, 2, failures=0)
    page = tmp_path / "page.html"
    assert main([str(tmp_path), "--output", str(page)]) == 0
    assert any("Round 2: Nothing to learn" in line for line in lines_of(page))


def test_no_run_two_runs_and_no_folder(tmp_path, capsys):
    page = tmp_path / "page.html"
    for place, words in ((tmp_path / "absent", "no such folder"), (tmp_path, "no run has stored anything")):
        assert main([str(place), "--output", str(page)]) == 78
        assert words in capsys.readouterr().err
    for name in ("one", "two"):
        leave_rollout(context_of(tmp_path / name))
    assert main([str(tmp_path), "--output", str(page)]) == 78
    said = capsys.readouterr().err
    assert "2 runs are below this folder, name one of them" in said
    assert "/one/" in said
    assert not page.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    whole_run(tmp_path)
    assert main([str(tmp_path), "--output", str(tmp_path / "no/such/page.html")]) == 1
    assert "no/such/page.html: No such file or directory" in capsys.readouterr().err


def test_changed_bytes_leave_the_old_page_alone(tmp_path, capsys):
    context = whole_run(tmp_path)
    page = tmp_path / "page.html"
    page.write_text("old")
    metrics = next((tmp_path / "runs").rglob("metrics.jsonl"))
    metrics.write_text(metrics.read_text().replace("0.25", "0.20"))
    assert main([str(tmp_path), "--output", str(page)]) == 65
    assert "metrics.jsonl does not match its manifest" in capsys.readouterr().err
    assert page.read_text() == "old"
    assert context.path(Stage.REPORT) == "report"
