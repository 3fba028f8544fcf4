"""The report of runs that ended in every way, from what they left in storage."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from reflection_api.stages import Stage
from reflection_trainer.errors import CorruptArtifact
from reflection_trainer.evaluate.result import build_result
from reflection_trainer.report import told
from reflection_trainer.report.content import Outcomes, Phrase, Report
from reflection_trainer.report.html import render_html
from reflection_trainer.report.stage import run

from ...support.reports import HOSTILE
from ..evaluate.test_result import tallies
from .runs import (
    context_of,
    leave_audit,
    leave_evaluation,
    leave_failures,
    leave_rollout,
    leave_training,
)


def reported(context):
    """The two files of the report."""
    result = run(context)
    assert result.outcome == "Succeeded"
    assert [artifact.uri.rsplit("/", 1)[1] for artifact in result.artifacts] == [
        "index.html",
        "report.json",
        "report.md",
    ]
    folder = context.workdir / "read"
    for name in ("report.json", "report.md"):
        assert context.artifacts.get_file(f"report/{name}", folder / name)
    return Report.model_validate_json((folder / "report.json").read_bytes()), (
        folder / "report.md"
    ).read_text()


def full_round(context, number=1, **others):
    leave_rollout(context, number)
    leave_failures(context, number)
    leave_training(context, number)
    return leave_evaluation(context, number, **others)


def test_a_whole_run(tmp_path):
    context = context_of(tmp_path)
    result = full_round(context)
    report, text = reported(context)
    [only] = report.rounds
    assert only.evaluation == result
    assert only.failures["failures"] == 150
    assert (only.training.steps, only.training.window) == (40, 4)
    assert only.training.first["reward"] == pytest.approx((1 + 2 + 3 + 4) / 4 / 40)
    assert only.training.last["reward"] == pytest.approx((37 + 38 + 39 + 40) / 4 / 40)
    assert only.model_uri.endswith("/round-1/train/model")
    assert (
        "The second try did not change measurably: 0.500 to 0.750, +0.250 [-1.000, +1.000] on 2 questions, p = 1.000."
        in text
    )


def test_costs_are_what_the_artefacts_say(tmp_path):
    context = context_of(tmp_path)
    full_round(context)
    leave_failures(context, seconds=0.75)
    leave_audit(context)  # half a second
    report, text = reported(context)
    assert {cost.stage: (cost.seconds, cost.tokens) for cost in report.rounds[0].costs} == {
        Stage.ROLLOUT: (5.0, 1400),
        Stage.VERIFY: (1.25, None),
        Stage.TRAIN: (10.0, 4000),
        Stage.EVALUATE: (9.0, 600),  # 3 shards of each model
    }
    assert "25 s of rollout, verify, train, evaluate" in text


def test_nobody_s_time_is_made_up(tmp_path):
    context = context_of(tmp_path)
    leave_failures(context, failures=0)
    report, text = reported(context)
    assert report.rounds[0].costs == []
    assert "What did it cost?" not in text


def test_a_run_without_failures_says_so(tmp_path):
    context = context_of(tmp_path)
    leave_rollout(context)
    leave_failures(context, failures=0)
    report, text = reported(context)
    assert report.final is None
    assert "Nothing to learn (NoFailures): all 400 answers were right." in text
    assert "Held-out" not in text
    assert "Training" not in text


FAULT = 'the verifier accepted 50 of 200 canary answers that are wrong, most of them (50) "<answer></answer>"'


def test_a_verifier_that_failed_its_audit_is_told(tmp_path):
    context = context_of(tmp_path)
    leave_rollout(context)
    leave_audit(context, fault=FAULT)
    report, text = reported(context)
    assert report.rounds[0].audit.fault == FAULT
    words = (
        "The verifier failed its audit (VerifierUnsound), so nothing was learnt from its verdicts. Audit of the verifier: "
        "200 answers were judged twice, 0 of them differently; 50 of 200 canaries, which are wrong, were accepted."
    )
    assert f"- Did it learn? No, the verifier is unsound. {words} `{FAULT}`\n" in text
    assert "answers were judged: " not in text
    page = unescape(render_html(report)).replace("\u00a0", " ")
    assert f"{words} <q>{FAULT}</q>" in page


def test_a_second_round_whose_verifier_failed_keeps_the_figures_of_the_first(tmp_path):
    full_round(context_of(tmp_path))
    context = context_of(tmp_path, 2)
    leave_rollout(context, 2)
    leave_audit(context, 2, fault=FAULT)
    _, text = reported(context)
    assert (
        "These are the figures of round 1. Round 2: The verifier failed its audit (VerifierUnsound)" in text
    )
    assert f"`{FAULT}`" in text


def test_a_run_that_left_nothing_has_a_report_too(tmp_path):
    report, text = reported(context_of(tmp_path))
    assert report.final is None
    assert "Did it learn? Not known. There is no evaluation" in text


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ({}, None),
        ({"minGain": 0.2}, "Gates: all met."),
        (
            {"minGain": 0.3},
            "the second try gained +0.250, and spec.evaluation.gates.minGain is 0.3 (GateFailed).",
        ),
    ],
)
def test_gates_are_named(tmp_path, gates, words):
    context = context_of(tmp_path, **{"evaluation.gates": gates})
    full_round(context)
    report, text = reported(context)
    assert ("Gates" in text) is bool(gates)
    assert (words or "") in text
    assert bool(report.rounds[0].missed_gates) is (gates == {"minGain": 0.3})


def test_two_rounds_are_headed_by_the_newest(tmp_path):
    first = context_of(tmp_path)
    full_round(first)
    context = context_of(tmp_path, 2)
    newest = tallies()
    newest[1].first.add("c", True)
    newest[1].second.add("c", True)
    result = full_round(context, 2, result=build_result(*newest))
    report, text = reported(context)
    assert [number.round for number in report.rounds] == [1, 2]
    assert report.final.evaluation == result
    assert report.rounds[
        1
    ].transcripts  # with the base model's answers, which lie in the first round's folder
    assert "round 2 of 2" in text
    assert text.index("on 3 questions") < text.index("## Round 1") < text.index("## Round 2")


def test_a_second_round_without_failures_keeps_the_figures_of_the_first(tmp_path):
    full_round(context_of(tmp_path))
    context = context_of(tmp_path, 2)
    leave_rollout(context, 2)
    leave_failures(context, 2, failures=0)
    report, text = reported(context)
    assert report.final.round == 1
    assert "These are the figures of round 1. Round 2: Nothing to learn (NoFailures)" in text


def test_the_transcripts_are_a_sample_that_does_not_change(tmp_path, monkeypatch):
    monkeypatch.setattr(told, "_SAMPLE", 20)
    context = context_of(tmp_path)
    full_round(context, failures=100)
    first, again = (reported(context)[0].rounds[0].transcripts for _ in range(2))
    assert first == again
    assert len({row.question for row in first}) == 20
    assert all(row.trained_correct == (int(row.question.split()[1]) % 2 == 0) for row in first)
    assert all(row.base_reflection == "base reflects plain" and not row.base_correct for row in first)
    other = context_of(tmp_path, **{"task.prompts.seed": 7})
    assert reported(other)[0].rounds[0].transcripts != first


def test_what_is_counted_is_counted_over_all_of_them(tmp_path, monkeypatch):
    """The sample is smaller; half of the failures are learned, and each model says one thing all the time."""
    monkeypatch.setattr(told, "_SAMPLE", 20)
    context = context_of(tmp_path)
    full_round(context, failures=100)
    [only] = reported(context)[0].rounds
    assert only.outcomes == Outcomes(trained_only=50, neither=50)
    assert only.phrases_base == [Phrase(text="base reflects plain", count=100, right=0)]
    assert only.phrases_trained == [Phrase(text="trained reflects plain", count=100, right=50)]


def test_long_texts_are_cut_and_many_of_them_are_left_out(tmp_path):
    context = context_of(tmp_path)
    full_round(context, failures=300, text="x" * 5000)
    rows = reported(context)[0].rounds[0].transcripts
    assert 100 < len(rows) < 300
    assert sum(len(row.to_json()) for row in rows) < 4_400_000
    assert all(
        re.fullmatch(r"question \d+ x+\n\[\.\.\. 1,01\d more characters\]", row.question) for row in rows
    )


def test_groups_are_counted(tmp_path):
    context = context_of(tmp_path, **{"training.failuresPerStep": 8, "training.method.numGenerations": 4})
    dead = {"deadGroupShare": 0.625, "allRightShare": 0.5, "allWrongShare": 0.125}
    leave_training(context, steps=40, shares=dead)
    made = reported(context)[0].rounds[0].training
    assert made.reflections_per_step == 32
    assert (made.groups, made.all_right_groups, made.all_wrong_groups, made.live_groups) == (
        320,
        160,
        40,
        120,
    )


def test_groups_that_were_drawn_in_the_place_of_dead_ones_are_counted_too(tmp_path):
    refill = {"training.failuresPerStep": 8, "training.method": {"deadGroups": "refill", "numGenerations": 4}}
    context = context_of(tmp_path, **refill)
    shares = {"groups": 16, "deadGroupShare": 0.5, "allRightShare": 0.25, "allWrongShare": 0.25}
    leave_training(context, steps=40, shares=shares)
    made = reported(context)[0].rounds[0].training
    assert (made.groups, made.live_groups) == (640, 320)


def test_seconds_on_graphics_cards_are_counted_as_such(tmp_path):
    gpus = {"training.nodes": 2, "training.gpusPerNode": 4, "rollout.gpusPerWorker": 1}
    context = context_of(tmp_path, **gpus)
    full_round(context)
    report, text = reported(context)
    assert {cost.stage: cost.gpus for cost in report.rounds[0].costs} == {
        Stage.ROLLOUT: 1, Stage.TRAIN: 8, Stage.EVALUATE: 1,
    }  # fmt: skip
    hours = (5.0 * 1 + 10.0 * 8 + 9.0 * 1) / 3600
    assert f"What did it cost? {hours:.2f} GPU-hours." in text


def test_versions_are_those_that_made_the_artefacts(tmp_path):
    context = context_of(tmp_path)
    leave_rollout(context, made_with={"reflect-operator": "0.0.9", "vllm": "0.31.0"})
    leave_training(context, made_with={"reflect-operator": "0.1.0", "trl": "1.16.0"})
    assert reported(context)[0].versions == {
        "reflect-operator": "0.0.9, 0.1.0", "trl": "1.16.0", "vllm": "0.31.0",
    }  # fmt: skip


def test_changed_bytes_are_not_reported(tmp_path):
    context = context_of(tmp_path)
    full_round(context)
    file = next((tmp_path / "runs").rglob("result.json"))
    document = json.loads(file.read_text())
    document["secondTry"]["trained"] = 1.0
    file.write_text(json.dumps(document))
    with pytest.raises(CorruptArtifact, match=r"result\.json does not match its manifest"):
        run(context)


def test_hostile_words_of_the_model_stay_words(tmp_path):
    context = context_of(tmp_path)
    full_round(context, text=HOSTILE)
    _, text = reported(context)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# tiny",
        "## In short",
        "## Round 1",
        "### Training (40 steps)",
        "### Held-out questions",
        "### 20 of the fixed failures, drawn by seed",
        "### Cost",
        "## Made with",
    ]
    assert "\x1b" not in text
    assert "\u202e" not in text
